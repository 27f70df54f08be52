from __future__ import annotations

from datetime import UTC, datetime

from attrs import evolve
from rich.console import Console, RenderableType

from charimg.cli.tables import details, image_brief, image_line, image_table, short_ids
from charimg.models import CharacterImage, ImageMetrics, Media, SceneDetails, Shot

_MEDIA = Media(
    id="m-1",
    key="k-1",
    filename="reference-k-1.png",
    mime_type="image/png",
    size=2048,
    width=64,
    height=32,
    sha256="ab" * 32,
)
_IMAGE = CharacterImage(
    id="0123456789abcdef-000",
    key="k-1",
    character_id="mara",
    kind="reference",
    status="succeeded",
    media=_MEDIA,
    prompt="exact prompt",
    source_url="https://library.example/a.png?signature=SECRET",
    metrics=ImageMetrics(generation_ms=1234.5, shot=Shot(name="50mm LEFT")),
    created_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
)


def _shown(what: RenderableType) -> str:
    console = Console(width=140, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_short_ids_are_ends_that_tell_the_images_apart() -> None:
    assert short_ids([]) == {}
    assert short_ids(["abc"]) == {"abc": "abc"}
    long = ["x" * 20 + "0123456789", "y" * 20 + "9876543210"]
    assert list(short_ids(long).values()) == ["0123456789", "9876543210"]
    alike = ["aX-0123456789", "bX-0123456789"]
    assert list(short_ids(alike).values()) == alike
    assert short_ids(["same-same-same", "same-same-same"]) == {"same-same-same": "-same-same"}


def test_the_table_shows_what_tells_images_apart() -> None:
    failed = evolve(
        _IMAGE, id="0123456789abcdef-001", status="failed", media=None, metrics=ImageMetrics()
    )
    shown = _shown(image_table([_IMAGE, failed]))
    assert "9abcdef" not in shown.split("abcdef-000")[0].splitlines()[0]
    for text in ("abcdef-000", "abcdef-001", "2 KiB", "50mm LEFT", "2024-05-06 07:08"):
        assert text in shown
    assert "exact prompt" not in shown


def test_each_image_is_one_line_on_80_columns() -> None:
    long = evolve(_IMAGE, kind="portfolioItem", metrics=ImageMetrics(shot=Shot(name="85mm " * 9)))
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(image_table([long, long]))
    lines = [line for line in captured.get().splitlines() if line.strip()]
    assert len(lines) == 4
    for text in ("abcdef-000", "portfolioItem", "succeeded", "2 KiB", "85mm", "2024-05-06 07:08"):
        assert text in lines[2]


def test_a_brief_line_has_the_short_id() -> None:
    assert image_brief(_IMAGE) == "abcdef-000  reference  succeeded  64x32 2 KiB"


def test_a_line_names_the_file() -> None:
    assert image_line(_IMAGE).endswith("64x32 2 KiB  reference-k-1.png")
    located = _IMAGE.with_media(evolve(_MEDIA, url="file:///a", width=None))
    assert image_line(located).endswith("succeeded  2 KiB  file:///a")
    assert "succeeded" in image_line(evolve(_IMAGE, media=None))


def test_details_tell_how_a_scene_was_asked_for() -> None:
    scene = SceneDetails(type="action", mood="tense", lighting="dusk")
    shown = _shown(details(evolve(_IMAGE, kind="scene", metrics=ImageMetrics(scene=scene))))
    for told in ("action", "tense", "dusk"):
        assert told in shown


def test_details_leave_out_what_is_empty_and_cut_the_query() -> None:
    shown = _shown(details(_IMAGE))
    assert "https://library.example/a.png" in shown
    assert "SECRET" not in shown
    assert "1234 ms" in shown
    assert "exact prompt" in shown
    assert "created by" not in shown
    bare = evolve(_IMAGE, media=None, source_url=None, created_by="ann")
    shown = _shown(details(bare))
    assert "source" not in shown
    assert "sha256" not in shown
    assert "ann" in shown


def test_details_tell_what_was_left_out() -> None:
    metrics = ImageMetrics(source_sha256="5e" * 32, cleaned=("XMP (9 bytes)", "trailer (1 byte)"))
    shown = _shown(details(evolve(_IMAGE, metrics=metrics)))
    assert "XMP (9 bytes), trailer (1 byte)" in shown
    assert "5e" * 32 in shown
    whole = _shown(details(evolve(_IMAGE, metrics=evolve(metrics, cleaned=()))))
    assert "left out" not in whole
    assert "as sent" not in whole
