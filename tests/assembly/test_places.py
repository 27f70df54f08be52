"""Which store a settings URL stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg import ConfigurationError
from charimg._assembly import places
from charimg._assembly.places import Place, Role, parse_place, shown
from charimg.stores.postgres.settings import DEFAULT_SCHEMA

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
    in_schema = parse_place("postgresql://u:hush@db/s?x=hush&schema=a%26b", places.METADATA)
    assert str(in_schema) == "postgresql://db/s?schema=a%26b"
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
    assert not here.is_at(Place(backend="file", path=tmp_path / "x.sqlite"))
    linked = Place(backend="sqlite", path=tmp_path / "link" / "x.sqlite")
    assert linked.identity == here.identity == str(tmp_path / "x.sqlite")


def test_what_a_manifest_calls_a_server() -> None:
    one, same, other = (
        parse_place(url, places.METADATA).identity
        for url in (
            "postgresql://me:hush@localhost/studio",
            "postgres://127.0.0.1:5432/studio",
            "postgresql://me:hush@localhost/other",
        )
    )
    assert one == same != other
    assert one.startswith("postgresql:")
    assert "hush" not in one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://localhost/studio", "postgres://127.0.0.1:5432/studio"),
        ("postgresql://me:hush@[::1]/studio", "postgresql://LocalHost/studio?schema=charimg"),
        ("postgresql://you@db.example/s", "postgresql://me@DB.example:5432/s?connect_timeout=3"),
        ("postgresql:///studio?host=/run/pg&port=5433", "postgresql://%2Frun%2Fpg:5433/studio"),
        ("postgresql://h/me", "postgresql://me@h"),
        ("postgresql://h/me", "postgresql://h?user=me"),
        ("postgresql:///studio?host=::1", "postgresql://localhost?dbname=studio"),
        ("postgresql://h1,h2:5433/s", "postgresql://h1:5432,h2/s?host=h1,h2&port=5432,5433"),
        ("postgresql://h1:6,h2:6/s", "postgresql:///s?host=h1,h2&port=6"),
        ("payload+https://cms.example/", "payload+https://CMS.example:443?cdn=https://cdn.example"),
        ("payload+http://localhost:3000/a", "payload+http://127.0.0.1:3000/a/"),
        ("s3://bucket/a/b", "s3://bucket/a//b/?public=https://cdn.example&region=auto"),
        ("s3://b?endpoint=http://localhost:9000", "s3://b/?endpoint=http://127.0.0.1:9000/"),
    ],
)
def test_servers_that_are_spelled_differently(one: str, other: str) -> None:
    role = places.MEDIA if one.startswith("s3") else places.METADATA
    here, there = parse_place(one, role), parse_place(other, role)
    assert here.is_at(there)
    assert there.is_at(here)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://localhost/studio", "postgresql://localhost/other"),
        ("postgresql://localhost/studio", "postgresql://localhost:5433/studio"),
        ("postgresql://localhost/studio", "postgresql://db.example/studio"),
        ("postgresql://localhost/studio", "postgresql://localhost/studio?schema=other"),
        ("postgresql://h1,h2/s", "postgresql://h1/s"),
        ("postgresql://localhost/studio", "postgresql:///studio?host=/run/postgresql"),
        ("payload+https://cms.example", "payload+http://cms.example"),
        ("payload+https://cms.example", "payload+https://cms.example/other"),
        ("payload+https://cms.example", "payload+https://cms.example?media=pictures"),
        ("payload+https://cms.example", "postgresql://cms.example"),
        ("s3://bucket", "s3://bucket/a"),
        ("s3://bucket", "s3://other"),
        ("s3://bucket", "s3://bucket?endpoint=http://localhost:9000"),
    ],
)
def test_servers_that_are_two(one: str, other: str) -> None:
    role = places.MEDIA if one.startswith("s3") else places.METADATA
    assert not parse_place(one, role).is_at(parse_place(other, role))


def test_what_the_environment_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = parse_place("postgresql://", places.METADATA)
    full = parse_place("postgresql://db.example:6432/studio", places.METADATA)
    assert not bare.is_at(full)
    for name, value in (("HOST", "db.example"), ("PORT", "6432"), ("DATABASE", "studio")):
        monkeypatch.setenv(f"PG{name}", value)
    assert bare.is_at(full)
    monkeypatch.delenv("PGDATABASE")
    monkeypatch.setenv("PGUSER", "studio")
    assert bare.is_at(full)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example")
    one = parse_place("s3://bucket", places.MEDIA)
    assert one.is_at(parse_place("s3://bucket?endpoint=https://s3.example:443", places.MEDIA))


def test_the_schema_that_is_meant_by_none() -> None:
    one = parse_place(f"postgresql://h/d?schema={DEFAULT_SCHEMA}", places.METADATA)
    assert one.is_at(parse_place("postgresql://h/d", places.METADATA))


def test_a_directory_in_another(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    outer = Place(backend="file", path=tmp_path)
    inner = Place(backend="file", path=tmp_path / "link" / "a" / "b")
    assert outer.holds(inner)
    assert not inner.holds(outer)
    assert not outer.holds(outer)
    assert not outer.holds(Place(backend="file", path=tmp_path.with_name(f"{tmp_path.name}2")))
    assert not outer.holds(Place(backend="sqlite", path=tmp_path / "x.sqlite"))
    assert not parse_place("s3://b", places.MEDIA).holds(parse_place("s3://b/c", places.MEDIA))
