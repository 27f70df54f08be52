"""The tables of a host that keeps images itself, as SQLAlchemy models; made of charimg's JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, create_engine, insert, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
)

LIMIT = 50


class Base(DeclarativeBase):
    """What all models have."""


class Character(Base):
    """Whose images they are; it knows how many there are, so that no page counts them."""

    __tablename__ = "characters"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    images_total: Mapped[int]


class Media(Base):
    """A file."""

    __tablename__ = "media"
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    filename: Mapped[str]
    mime_type: Mapped[str]
    size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[str]
    alt: Mapped[str]


class Image(Base):
    """A record: every field a column, and the metrics JSON."""

    __tablename__ = "images"
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    character_id: Mapped[str] = mapped_column(ForeignKey("characters.id"))
    kind: Mapped[str]
    status: Mapped[str]
    provider: Mapped[str]
    prompt: Mapped[str]
    source_url: Mapped[str | None]
    external_id: Mapped[str | None]
    error: Mapped[str | None]
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    media_id: Mapped[str | None] = mapped_column(ForeignKey("media.id"))
    media: Mapped[Media | None] = relationship()


Index("newest", Image.character_id, Image.created_at, Image.id)

COLUMNS = {
    "id": "id",
    "key": "key",
    "characterReference": "character_id",
    "kind": "kind",
    "status": "status",
    "provider": "provider",
    "prompt": "prompt",
    "sourceUrl": "source_url",
    "externalId": "external_id",
    "error": "error",
    "metrics": "metrics",
    "createdBy": "created_by",
}
"""By the names that charimg's JSON has; the times come on top."""
MEDIA = {
    "id": "id",
    "key": "key",
    "filename": "filename",
    "mimeType": "mime_type",
    "size": "size",
    "width": "width",
    "height": "height",
    "sha256": "sha256",
    "alt": "alt",
}


def engine_of(url: str) -> Any:
    """Return the engine of a database."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def fill(engine: Any, character: str, documents: list[dict[str, Any]]) -> None:
    """Make the tables, and write the records of a character."""
    Base.metadata.create_all(engine)
    files = [{column: each["media"][name] for name, column in MEDIA.items()} for each in documents]
    images = [
        {column: each[name] for name, column in COLUMNS.items()}
        | {
            "created_at": datetime.fromisoformat(each["createdAt"]),
            "updated_at": datetime.fromisoformat(each["updatedAt"]),
            "media_id": each["media"]["id"],
        }
        for each in documents
    ]
    with engine.begin() as connection:
        given = {"id": character, "name": character.title(), "images_total": len(documents)}
        connection.execute(insert(Character), given)
        connection.execute(insert(Media), files)
        connection.execute(insert(Image), images)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def page(
    session: Session, character: str, after: tuple[datetime, str] | None, limit: int = LIMIT
) -> tuple[list[Image], int]:
    """Return the images that follow another one, newest first, with their files; and the total."""
    owner = session.get_one(Character, character)
    asked = (
        select(Image)
        .options(joinedload(Image.media))
        .where(Image.character_id == character)
        .order_by(Image.created_at.desc(), Image.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        asked = asked.where(tuple_(Image.created_at, Image.id) < after)
    return list(session.scalars(asked)), owner.images_total


def document(image: Any) -> dict[str, Any]:
    """Return a record of either ORM as the JSON that it was made of."""
    found = {name: getattr(image, column) for name, column in COLUMNS.items()}
    found["media"] = {name: getattr(image.media, column) for name, column in MEDIA.items()}
    for name, moment in (("createdAt", image.created_at), ("updatedAt", image.updated_at)):
        found[name] = (
            moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
    return found
