"""The bodies of ``/v1`` as pydantic models, for a host's OpenAPI. They are not read by them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ._models import IMAGE, PROMPT, Json

__all__ = ["IdsBody", "PortfolioBody", "ReferenceBody", "SceneBody", "SettleBody"]

_Filled = Annotated[str, Field(min_length=1)]
"""And not blank, which no pattern says that every engine reads alike: answered with 400."""


class ReferenceBody(Json):
    """What to draw."""

    model_config = ConfigDict(json_schema_extra={"example": {"prompt": PROMPT}})

    prompt: _Filled | None = Field(
        default=None, description="Without one, the suggestion is taken."
    )
    policy: Literal["delete-all", "delete-after-success", "keep-history"] | None = Field(
        default=None, description="What becomes of earlier images; delete-all by default."
    )


class PortfolioBody(Json):
    """From which reference."""

    model_config = ConfigDict(json_schema_extra={"example": {}})

    reference_id: str | None = Field(
        default=None, description="An image's id; by default the current reference."
    )


class SceneBody(Json):
    """What happens in the scene."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sceneContext": "At the window of a night train, watching the rain.",
                "sceneType": "emotional",
                "mood": "wistful",
                "lighting": "passing street lamps",
            }
        }
    )

    scene_context: _Filled = Field(
        description="What happens. The older name of this field, prompt, is taken as well."
    )
    scene_type: Literal["dialogue", "action", "emotional", "establishing"] | None = None
    mood: str | None = None
    lighting: str | None = None
    environment: str | None = None
    additional_characters: list[str] | None = None


class SettleBody(Json):
    """Which image it is, or that there is none."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"mediaId": "9328a9dc66caf8eb870451eb"},
            "oneOf": [
                {"required": ["mediaId"]},
                {"required": ["mediaIds"]},
                {"required": ["nothing"]},
            ],
        }
    )

    media_id: _Filled = Field(default="", description="A candidate's.")
    media_ids: list[str] = Field(default=[], min_length=1, description="Those of a set.")
    nothing: Literal[True] = Field(
        default=True, description="There is nothing to bring in; also gives up a job."
    )


class IdsBody(Json):
    """Which images."""

    model_config = ConfigDict(json_schema_extra={"example": {"ids": [IMAGE]}})

    ids: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1, max_length=500)
