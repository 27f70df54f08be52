"""Which store a settings URL stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg import ConfigurationError
from charimg._assembly import places
from charimg._assembly.places import Place, Role, parse_place, shown

ROLES = (places.METADATA, places.MEDIA, places.LEDGER, places.CHARACTERS)


@pytest.mark.parametrize(
    ("text", "role", "backend", "path"),
    [
        ("sqlite:///charimg.sqlite", places.METADATA, "sqlite", "charimg.sqlite"),
        ("sqlite:///data/a%20b.sqlite", places.METADATA, "sqlite", "data/a b.sqlite"),
        ("sqlite:////var/lib/x.sqlite", places.LEDGER, "sqlite", "/var/lib/x.sqlite"),
        (" SQLITE:////var/x.sqlite\n", places.CHARACTERS, "sqlite", "/var/x.sqlite"),
        ("file:///var/media", places.MEDIA, "file", "/var/media"),
        ("file://localhost/var/media", places.MEDIA, "file", "/var/media"),
    ],
)
def test_paths(text: str, role: Role, backend: str, path: str) -> None:
    assert parse_place(text, role) == Place(backend=backend, path=Path(path))


@pytest.mark.parametrize(
    ("text", "role", "backend"),
    [
        ("postgresql://u:p@host/db?schema=x", places.METADATA, "postgresql"),
        ("postgres://host/db", places.LEDGER, "postgresql"),
        ("payload+https://cms.example/", places.METADATA, "payload"),
        ("payload+http://127.0.0.1:3000", places.MEDIA, "payload"),
        ("s3://bucket/prefix?endpoint=http://x", places.MEDIA, "s3"),
    ],
)
def test_servers(text: str, role: Role, backend: str) -> None:
    assert parse_place(text, role) == Place(backend=backend, url=text)


@pytest.mark.parametrize(
    ("text", "role", "told"),
    [
        (
            "",
            places.METADATA,
            "CHARIMG_METADATA must be a URL such as sqlite:///charimg.sqlite or ",
        ),
        ("charimg.sqlite", places.METADATA, "must be a URL such as"),
        (
            "mysql://u:hush@host/db",
            places.METADATA,
            "or postgresql://user@host/database or payload",
        ),
        ("s3://bucket", places.METADATA, "must be a URL such as"),
        ("payload+https://cms.example", places.LEDGER, "CHARIMG_LEDGER must be a URL such as"),
        ("sqlite:///x", places.MEDIA, "CHARIMG_MEDIA must be a URL such as file:///var"),
        ("sqlite://x.sqlite", places.METADATA, "with three slashes"),
        ("sqlite:///", places.METADATA, "names no path"),
        ("sqlite://", places.METADATA, "names no path"),
        ("file:///", places.MEDIA, "names no path"),
        ("file://host/share", places.MEDIA, "with three slashes"),
        ("file:///x?hush=1", places.MEDIA, "no query"),
        ("file:///x#hush", places.MEDIA, "no query"),
        ("postgresql://me:hush/x@host/db", places.METADATA, "%40 and %2F"),
        ("postgresql://me:1@hush@host/db", places.METADATA, "Percent-encode"),
        ("postgresql://me@host,h2:hush/db", places.METADATA, "Percent-encode"),
        ("s3://key:hush/x@bucket/p", places.MEDIA, "Percent-encode"),
        ("s3://[hush", places.MEDIA, "CHARIMG_MEDIA is not a valid URL."),
    ],
)
def test_what_is_refused(text: str, role: Role, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_place(text, role)
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_source_of_a_url_can_be_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^--to-media must be"):
        parse_place("x", places.MEDIA, source="--to-media")


@given(st.text(), st.sampled_from(ROLES))
def test_any_text_is_a_place_or_refused(text: str, role: Role) -> None:
    try:
        place = parse_place(text, role)
    except ConfigurationError:
        return
    assert place.backend in role.backends
    assert place.url == text.strip() or place.path.parts


def test_places_show_nothing_secret() -> None:
    url = "postgresql://user:hush@db.example:5432/studio?password=hush#hush"
    place = parse_place(url, places.METADATA)
    assert str(place) == "postgresql://db.example:5432/studio"
    assert "hush" not in repr(place)
    assert str(Place(backend="file", path=Path("/var/media"))) == "/var/media"
    assert "hush" not in shown("s3://[hush")


def test_a_url_whose_password_runs_over_is_not_shown() -> None:
    for url in ("postgresql://me:hush/x@host/db", "s3://me:1@hush@bucket/p", "s3://h:hush/p"):
        assert "hush" not in shown(url)
    assert shown("postgresql://me@[::1]:5432,h2:1/db") == "postgresql://[::1]:5432,h2:1/db"


def test_places_that_are_spelled_differently(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    here = Place(backend="sqlite", path=tmp_path / "x.sqlite")
    assert here.is_at(Place(backend="sqlite", path=tmp_path / "link" / "." / "x.sqlite"))
    assert not here.is_at(Place(backend="sqlite", path=tmp_path / "y.sqlite"))
    there = Place(backend="s3", url="s3://bucket")
    assert there.is_at(Place(backend="s3", url="s3://bucket"))
    assert not there.is_at(Place(backend="s3", url="s3://bucket/x"))
