"""Without I/O: ids, names, where-clauses, and what Payload's documents mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from attrs import evolve

from ..._ingest.naming import filename
from ..._json import from_json, to_json
from ..._library.urls import resolve
from ...errors import InvalidArgument, StorageError
from ...models import CharacterImage, CharacterReference, ImageKind, Media, Upload
from .options import PayloadOptions

__all__ = [
    "Id",
    "IdKind",
    "at",
    "candidates",
    "check_key",
    "flatten",
    "kind_of",
    "parse_id",
    "put",
    "read_character",
    "read_image",
    "read_media",
    "relation_id",
    "stored_name",
    "write_image",
]

Id = int | str
IdKind = str
"""``int``, ``uuid``, ``object`` or ``text``: what the ids of one collection are."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?")
_RENAMED = re.compile(r"-\d{1,2}")
_KINDS = (*ImageKind, "image")
_EXTENSIONS = ("png", "jpg", "jpeg", "webp", "gif", "avif")
# Payload names a second file of one name so, for example when a crash left the first on the disk.
_SUFFIXES = ("", "-1", "-2")
_MAX_INTEGER = 2**31 - 1


def kind_of(value: object) -> IdKind:
    """Return what kind of id this is."""
    if type(value) is int:
        return "int"
    text = str(value)
    if _UUID.fullmatch(text):
        return "uuid"
    return "object" if _OBJECT_ID.fullmatch(text) else "text"


def parse_id(kind: IdKind, text: str) -> Id | None:
    """Return the id as the server's own JSON type, or ``None`` if it can be none of that kind.

    An id of another kind is not asked for: the databases answer it with a 500.
    """
    if kind == "int":
        fits = text.isascii() and text.isdecimal() and text == str(int(text[:12]))
        return int(text) if fits and int(text) <= _MAX_INTEGER else None
    if kind == "text":
        return text if text and "\0" not in text else None
    return text if kind_of(text) == kind else None


def relation_id(value: Any) -> Id | None:
    """Return the id of a relation, populated or not."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if type(found) in (int, str) else None


def check_key(key: str) -> str:
    """Return a key that a file name can carry and be found by.

    Raises:
        InvalidArgument: It is none.
    """
    if not _KEY.fullmatch(key) or _RENAMED.fullmatch("-" + key.rpartition("-")[2]):
        raise InvalidArgument(
            f"The key {key[:140]!a} cannot be part of a file name in Payload. Use lower-case "
            "letters, digits and hyphens, without one or two digits alone at the end."
        )
    return key


def candidates(key: str) -> tuple[str, ...]:
    """Return every file name that media of this key can have."""
    return tuple(
        filename(kind, key + suffix, extension)
        for kind in _KINDS
        for suffix in _SUFFIXES
        for extension in _EXTENSIONS
    )


def stored_name(upload: Upload) -> str:
    """Return the file name to send: the upload's own, if the key can be found by it."""
    if upload.filename in candidates(upload.key):
        return upload.filename
    extension = upload.filename.rpartition(".")[2].lower()
    if extension not in _EXTENSIONS:
        extension = upload.mime_type.rpartition("/")[2].lower()
    return filename("image", upload.key, extension if extension in _EXTENSIONS else "png")


def key_in(name: str) -> str:
    """Return the key that a file name carries; the name without its extension if it has none."""
    stem = name.rpartition(".")[0] or name
    for kind in _KINDS:
        begin = filename(kind, "x", "y").removesuffix("x.y")
        if stem.startswith(begin):
            stem = stem[len(begin) :]
            break
    key, hyphen, end = stem.rpartition("-")
    return key if hyphen and _RENAMED.fullmatch(hyphen + end) else stem


def flatten(where: Any, prefix: str = "where") -> Iterator[tuple[str, str]]:
    """Give a where-clause as the fields of a form."""
    if isinstance(where, Mapping):
        for name, value in where.items():
            yield from flatten(value, f"{prefix}[{name}]")
    elif isinstance(where, list | tuple):
        for index, value in enumerate(where):
            yield from flatten(value, f"{prefix}[{index}]")
    else:
        yield prefix, str(where)


def at(document: Mapping[str, Any], path: str | None) -> Any:
    """Return what stands at a path such as ``group.field``, or ``None``."""
    found: Any = document
    for name in [] if path is None else path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if path is None else found


def put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands at a path such as ``group.field``."""
    *groups, name = path.split(".")
    for group in groups:
        document = document.setdefault(group, {})
    document[name] = value


def _first(document: Mapping[str, Any], paths: tuple[str, ...]) -> Any:
    return next((found for each in paths if (found := at(document, each)) not in (None, "")), None)


def read_media(
    document: Mapping[str, Any],
    options: PayloadOptions,
    base_url: str,
    *,
    key: str | None = None,
    sha256: str | None = None,
) -> Media:
    """Return the media of a document of the media collection.

    Raises:
        StorageError: It is no such document.
    """
    name = document.get("filename")
    identity = relation_id(document)
    if not isinstance(name, str) or identity is None:
        raise StorageError(
            f"The media document {identity!r} has no file name, so it is no upload. Check the slug "
            f"of the media collection ({options.media!r}) and who may read it."
        )
    data = {
        "id": str(identity),
        "key": key or key_in(name),
        "filename": name,
        "mimeType": document.get("mimeType") or "",
        "size": document.get("filesize") or 0,
        "width": document.get("width"),
        "height": document.get("height"),
        "sha256": sha256,
        "alt": at(document, options.alt) or "",
        "url": file_url(name, options, base_url),
        "thumbnailUrl": _thumbnail(document, options, base_url),
    }
    return from_json(Media, data, what=f"the media document {identity!r}")


def file_url(name: str, options: PayloadOptions, base_url: str) -> str:
    """Return where a browser gets a file."""
    if options.cdn is not None:
        return f"{options.cdn.rstrip('/')}/{quote(name)}"
    return f"{base_url}{options.api}/{options.media}/file/{quote(name)}"


def _thumbnail(document: Mapping[str, Any], options: PayloadOptions, base_url: str) -> str | None:
    # A size that the image is too small for stands there with nothing but nulls in it.
    name = at(document, "sizes.thumbnail.filename")
    if options.cdn is not None and isinstance(name, str):
        return file_url(name, options, base_url)
    url = at(document, "sizes.thumbnail.url")
    return resolve(base_url, url) if isinstance(url, str) and url else None


_PLAIN = ("kind", "status", "provider", "prompt", "sourceUrl", "externalId", "error", "createdBy")


def write_image(
    image: CharacterImage,
    options: PayloadOptions,
    *,
    character: Id,
    media: Id | None,
    created_by: Id | None,
) -> dict[str, Any]:
    """Return the document of a record; who made it is among the metrics if it has no field."""
    data = to_json(image)
    document: dict[str, Any] = {}
    metrics = {**data["metrics"], "key": image.key}
    if image.media is not None:
        metrics["media"] = {"key": image.media.key, "sha256": image.media.sha256}
    if options.called("createdBy") is None and created_by is not None:
        metrics["createdBy"] = created_by
    values = {
        **{name: data[name] for name in _PLAIN},
        "createdBy": created_by,
        "characterReference": character,
        "media": media,
        "metrics": metrics,
    }
    for name, value in values.items():
        path = options.called(name)
        if path is not None:
            put(document, path, value)
    document["createdAt"] = data["createdAt"]
    if options.key is not None:
        put(document, options.key, image.key)
    return document


def read_image(
    document: Mapping[str, Any], options: PayloadOptions, base_url: str
) -> CharacterImage:
    """Return the record of a document whose media is joined in.

    Raises:
        StorageError: It is no such document.
    """
    identity = relation_id(document)
    what = f"the record {identity!r} in Payload"
    metrics = at(document, options.called("metrics"))
    metrics = dict(metrics) if isinstance(metrics, Mapping) else {}
    ours = metrics.pop("media", None)
    ours = ours if isinstance(ours, Mapping) else {}
    media = None
    joined = at(document, options.called("media"))
    if isinstance(joined, Mapping):
        media = read_media(
            joined,
            options,
            base_url,
            key=ours.get("key"),
            sha256=ours.get("sha256") or metrics.get("sha256"),
        )
    key = metrics.pop("key", None) or at(document, options.key)
    if not isinstance(key, str):
        key = str(identity) if media is None else media.key
    data = {name: at(document, options.called(name)) for name in _PLAIN}
    for name in ("prompt", "provider"):
        data[name] = data[name] or ""
    for name in ("kind", "status"):
        data[name] = data[name] or "unknown"
    created_by = relation_id(data["createdBy"] or metrics.pop("createdBy", None))
    character = relation_id(at(document, options.called("characterReference")))
    data |= {
        "id": str(identity),
        "key": key,
        "characterReference": "" if character is None else str(character),
        "createdBy": None if created_by is None else str(created_by),
        "metrics": metrics,
        "createdAt": document.get("createdAt"),
        "updatedAt": document.get("updatedAt") or document.get("createdAt"),
    }
    return evolve(from_json(CharacterImage, data, what=what), media=media)


def read_character(document: Mapping[str, Any], options: PayloadOptions) -> CharacterReference:
    """Return the character of a document."""
    identity = relation_id(document)
    traits = _first(document, options.traits)
    if isinstance(traits, str):
        try:
            traits = json.loads(traits)
        except ValueError:
            traits = {}
    return from_json(
        CharacterReference,
        {
            "id": str(identity),
            "name": _first(document, options.name) or "",
            "libraryDbId": _first(document, options.library_db_id),
            "libraryCharacterId": _first(document, options.library_character_id),
            "traits": traits if isinstance(traits, Mapping) else {},
        },
        what=f"the character {identity!r} in Payload",
    )
