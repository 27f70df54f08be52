"""Reads pages of typed records with an ORM, in a process of its own.

It is told on its input, a line of JSON each time, and says on its output how long it took and what
it found. First comes the database, with what to fill it with.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.db import models
from django.db.models import Q
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from tables import LIMIT, document, engine_of, fill
from tables import page as page_of

Pages = Callable[[str, int], list[tuple[list[Any], int]]]


def sqlalchemy(engine: Any) -> Pages:
    """Return what reads pages that follow each other, each in a session of its own."""

    def read(character: str, count: int) -> list[tuple[list[Any], int]]:
        found: list[tuple[list[Any], int]] = []
        after = None
        for _ in range(count):
            with Session(engine) as session:
                images, total = page_of(session, character, after)
            found.append((images[:LIMIT], total))
            after = (images[LIMIT - 1].created_at, images[LIMIT - 1].id)
        return found

    return read


def _configure(url: str) -> None:
    parts = make_url(url)
    kind = "postgresql" if parts.drivername.startswith("postgresql") else "sqlite3"
    database = {"ENGINE": f"django.db.backends.{kind}", "NAME": parts.database}
    if kind == "postgresql":
        database |= {"HOST": parts.host, "PORT": parts.port, "USER": parts.username}
    settings.configure(DATABASES={"default": database}, USE_TZ=True, INSTALLED_APPS=[])
    django.setup()


def django_orm(url: str) -> Pages:
    """Return the same of Django's."""
    _configure(url)

    class Table(models.Model):
        id = models.TextField(primary_key=True)

        class Meta:
            abstract = True
            app_label = "host"
            managed = False

    class Character(Table):
        name = models.TextField()
        images_total = models.IntegerField()

        class Meta(Table.Meta):
            abstract = False
            db_table = "characters"

    class Media(Table):
        key = models.TextField()
        filename = models.TextField()
        mime_type = models.TextField()
        size = models.IntegerField()
        width = models.IntegerField()
        height = models.IntegerField()
        sha256 = models.TextField()
        alt = models.TextField()

        class Meta(Table.Meta):
            abstract = False
            db_table = "media"

    class Image(Table):
        key = models.TextField(unique=True)
        character = models.ForeignKey(Character, models.CASCADE)
        kind = models.TextField()
        status = models.TextField()
        provider = models.TextField()
        prompt = models.TextField()
        source_url = models.TextField(null=True)
        external_id = models.TextField(null=True)
        error = models.TextField(null=True)
        metrics = models.JSONField()
        created_by = models.TextField(null=True)
        created_at = models.DateTimeField()
        updated_at = models.DateTimeField()
        media = models.ForeignKey(Media, models.CASCADE, null=True)

        class Meta(Table.Meta):
            abstract = False
            db_table = "images"

    def read(character: str, count: int) -> list[tuple[list[Any], int]]:
        found: list[tuple[list[Any], int]] = []
        after = Q()
        for _ in range(count):
            total = Character.objects.get(pk=character).images_total
            asked = Image.objects.select_related("media").filter(after, character_id=character)
            images = list(asked.order_by("-created_at", "-id")[: LIMIT + 1])
            found.append((images[:LIMIT], total))
            moment, last = images[LIMIT - 1].created_at, images[LIMIT - 1].id
            after = Q(created_at__lte=moment) & (Q(created_at__lt=moment) | Q(id__lt=last))
        return found

    return read


def _main() -> None:
    given = json.loads(sys.stdin.readline())
    engine = engine_of(given["url"])
    with open(given["documents"]) as lines:  # noqa: PTH123
        fill(engine, given["character"], [json.loads(line) for line in lines])
    readers = {"SQLAlchemy": sqlalchemy(engine), "Django": django_orm(given["url"])}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.perf_counter()
        found = readers[asked["orm"]](given["character"], asked["pages"])
        took = time.perf_counter() - begun
        answer: dict[str, Any] = {
            "seconds": took,
            "keys": [[each.key for each in images] for images, _ in found],
            "totals": [total for _, total in found],
        }
        if asked.get("whole"):
            answer["documents"] = [document(each) for images, _ in found for each in images]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main()
