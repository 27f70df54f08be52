"""The listing as people write it with FastAPI: SQLAlchemy, and a response model of pydantic."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field, field_serializer
from pydantic.alias_generators import to_camel
from sqlalchemy.orm import Session
from tables import Character, engine_of, fill, page


class Wire(BaseModel):
    """What is written in camelCase and read from a model of SQLAlchemy."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, from_attributes=True)


class MediaOut(Wire):
    """A file."""

    id: str
    key: str
    filename: str
    mime_type: str
    size: int = Field(serialization_alias="filesize")
    width: int
    height: int
    sha256: str
    alt: str
    url: str | None = None
    thumbnail_url: str | None = Field(default=None, serialization_alias="thumbnailURL")


class ShotOut(Wire):
    """How the camera stood."""

    name: str
    slug: str | None
    lens_mm: float | None
    crop: str | None
    expression: str | None
    camera_azimuth_deg: float | None
    camera_elevation_deg: float | None
    camera_distance_m: float | None
    sort_order: int | None


class MetricsOut(Wire):
    """What was measured."""

    generation_ms: float | None
    download_ms: float | None
    inspection_ms: float | None
    storing_ms: float | None
    bytes: int | None
    sha256: str | None
    source_sha256: str | None
    cleaned: list[str]
    provenance: str | None
    width: int | None
    height: int | None
    shot: ShotOut | None
    scene: dict[str, Any] | None
    prompt_origin: str | None
    master_since: datetime | None


class ImageOut(Wire):
    """A record."""

    key: str
    character_id: str = Field(serialization_alias="characterReference")
    kind: str
    status: str
    id: str
    media: MediaOut | None
    provider: str
    prompt: str
    source_url: str | None
    external_id: str | None
    error: str | None
    metrics: MetricsOut
    created_by: str | None
    created_at: datetime
    updated_at: datetime

    @field_serializer("created_at", "updated_at")
    def _moment(self, moment: datetime) -> str:
        return moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CharacterOut(Wire):
    """Whose images they are."""

    id: str
    name: str
    library_db_id: str | None = None
    library_character_id: str | None = None


class PageOut(Wire):
    """The answer."""

    success: bool
    images: list[ImageOut]
    count: int
    next_cursor: str | None
    character: CharacterOut


given: dict[str, Any] = json.loads(sys.argv[1])
engine = engine_of(given["url"])
app = FastAPI()


def opened() -> Iterator[Session]:
    """Give each request a session."""
    with Session(engine) as session:
        yield session


async def anna() -> str:
    """Let everybody in."""
    return "anna"


@app.get("/v1/characters/{character_id}/images", response_model=PageOut)
def images(
    character_id: str,
    session: Annotated[Session, Depends(opened)],
    _user: Annotated[str, Depends(anna)],
) -> Any:
    """List the newest images of a character."""
    character = session.get(Character, character_id)
    if character is None:
        raise HTTPException(404)
    found, total = page(session, character_id, None)
    shown = [ImageOut.model_validate(each) for each in found]
    for each in shown:
        if each.media is not None:
            shard = sha256(each.media.key.encode()).hexdigest()[:2]
            each.media.url = f"{given['base']}/{shard}/{each.media.key}/{each.media.filename}"
    return PageOut(
        success=True,
        images=shown,
        count=total,
        next_cursor=None,
        character=CharacterOut.model_validate(character),
    )


if __name__ == "__main__":
    with open(given["documents"]) as lines:  # noqa: PTH123
        fill(engine, given["character"], [json.loads(line) for line in lines])
    uvicorn.run(app, fd=given["descriptor"], log_level="warning", access_log=False)
