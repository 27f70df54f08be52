"""The recorded exchanges with the real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTRACT = Path(__file__).resolve().parents[3] / "shared" / "contract"


def load() -> list[tuple[str, dict[str, Any]]]:
    """Return every recorded exchange that has an answer, with a readable name."""
    found = []
    for file in sorted(CONTRACT.glob("character-library*/*.json")):
        for index, each in enumerate(json.loads(file.read_text("utf-8"))["exchanges"]):
            if "status" in each["response"]:
                found.append((f"{file.stem}:{index}:{each.get('note', '')[:60]}", each))
    return found
