"""The photorealistic master-reference prompt: the facts of a character, the template, the checks.

Pure functions. A prompt is built from the character's existing data alone: no value is invented,
and a fact that is missing leaves no hole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .errors import InvalidArgument, InvalidPrompt
from .models import CharacterReference, PromptSuggestion

__all__ = [
    "DESCRIBED",
    "MOST_BYTES",
    "TEMPLATE",
    "RefusedDescription",
    "TemplatePromptSuggester",
    "check_prompt",
    "describe",
    "facts_of",
    "suggest_prompt",
    "unsupported_terms",
]

TEMPLATE = "photoreal-master/1"
"""Name and version of the built-in template."""
DESCRIBED = "photoreal-master-described/1"
"""The same photograph, of a person whom a model has described."""

MOST_BYTES = 64 * 1024
"""What a prompt may have, in UTF-8, unless the service says otherwise."""
_FACT_LIMIT = 1200
"""Characters per fact; a longer text is cut at a sentence or word."""

_LABELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("age", "Age", ("age", "ageyears", "agerange", "apparentage", "ageappearance")),
    ("ethnicity", "Ethnicity", ("ethnicity", "ethnicbackground", "heritage", "ancestry", "race")),
    ("gender", "Gender", ("gender", "genderidentity", "sex")),
    ("build", "Build", ("build", "bodytype", "physique", "bodybuild", "figure")),
    ("height", "Height", ("height", "heightcm", "stature")),
    ("weight", "Weight", ("weight", "weightkg")),
    (
        "physical_description",
        "Physical description",
        (
            "physicaldescription",
            "physicalappearance",
            "appearance",
            "physical",
            "visualdescription",
            "looks",
        ),
    ),
    ("face", "Face", ("face", "faceshape", "facialfeatures", "facialstructure", "features")),
    ("skin", "Skin", ("skin", "skintone", "complexion", "skincolor", "skincolour")),
    ("eyes", "Eyes", ("eyes", "eyecolor", "eyecolour", "eyeshape")),
    ("hair", "Hair", ("hair", "haircolor", "haircolour", "hairstyle", "hairlength", "hairtexture")),
    ("facial_hair", "Facial hair", ("facialhair", "beard", "moustache", "mustache")),
    (
        "distinguishing_marks",
        "Distinguishing marks",
        (
            "distinguishingmarks",
            "distinguishingfeatures",
            "scars",
            "tattoos",
            "birthmarks",
            "marks",
        ),
    ),
    (
        "wardrobe",
        "Wardrobe",
        ("wardrobe", "clothing", "clothes", "outfit", "attire", "costume", "clothingstyle"),
    ),
)
"""Fact, its label in the prompt, and the spellings of its key (letters and digits only)."""

_FACT_OF = {spelling: fact for fact, _, spellings in _LABELS for spelling in spellings}
_LABEL_OF = {fact: label for fact, label, _ in _LABELS}

_CONTAINERS = frozenset(
    {
        "bamldata",
        "character",
        "characterdata",
        "demographics",
        "description",
        "generationmetadata",
        "identity",
        "profile",
        "traits",
        "visual",
        "visualidentity",
        "visualtraits",
    }
)
"""Mappings that are only looked through. Others (backstory, locations, skills, …) never enter."""

_EMPTY = frozenset(
    {"", "-", "--", "?", "n/a", "na", "nan", "none", "null", "nil", "tbd", "undefined"}
    | {"unknown", "unspecified", "not specified", "not provided", "[]", "{}", "()"}
)
_EMPTY_WORD = re.compile(r"\b(?:None|null|undefined|NaN|nan)\b")
_EMPTY_VALUE = re.compile(
    r"\b(?:null|nil|none|undefined|nan|n/a|unknown|unspecified|not (?:specified|provided))\b",
    re.IGNORECASE,
)
_QUOTE = r'["“”„‟«»‹›〝〞＂`]'
# Between two words a quote parts them, and so must what takes its place.
_QUOTE_BETWEEN = re.compile(rf"(?<=\w){_QUOTE}+(?=\w)")
_QUOTES = re.compile(_QUOTE)
_EMPTY_BRACKETS = re.compile(r"\(\W*\)|\[\W*\]|\{\W*\}|<\W*>")
_REPEATED = re.compile(r"([,;:])(?:\s*[,;:])+")
_BEFORE_STOP = re.compile(r"\s*[,;:]+\s*(?=[.!?]|$)")
_STOPS = re.compile(r"\.(?:\s*[.,;:])+")
_SPACE_BEFORE = re.compile(r"\s+([,;:.!?)\]])")

_OPENING = (
    "Photorealistic master reference photograph of {subject}, for use as the visual reference of "
    "this one person in film production."
)
_BODY = (
    "Authentic skin texture with visible pores and subtle imperfections, subsurface scattering, "
    "natural micro-expressions, realistic eye moisture. "
    "Shot on a 35mm lens at f/4, ISO 200, 1/250s, from a slightly low angle with matched eye "
    "level. "
    "Chest-to-mid-thigh crop with equal headroom and rule-of-thirds positioning: subjects stand on "
    "the left and right thirds with an inter-subject gap of about 7% of the frame width, and a "
    "single subject is balanced on the thirds. "
    "Neutral seamless studio background, high dynamic range, crisp focus, accurate skin tones. "
    "Magazine-quality photorealism: NOT CGI, NOT 3D, NOT illustration, NOT cartoon, no uncanny "
    "valley. "
    "No quotes, no other objects, locations, actions or props, no text or watermarks."
)


def check_prompt(prompt: object, *, most: int = MOST_BYTES, beside: Iterable[object] = ()) -> str:
    """Return the prompt unchanged, byte for byte.

    Args:
        prompt: The prompt.
        most: Bytes of UTF-8 that it may have.
        beside: What is sent with it: texts count towards its size.

    Raises:
        InvalidPrompt: It is no text, is empty, or holds nothing but white space and invisible
            characters.
        InvalidArgument: It is too long.
    """
    if not isinstance(prompt, str):
        raise InvalidPrompt(
            f"The prompt must be a text, not a value of type {type(prompt).__name__}. Nothing was "
            "sent and nothing was deleted."
        )
    try:
        size = len(prompt.encode())
    except UnicodeEncodeError as error:
        raise InvalidPrompt(
            f"The prompt holds half a character (a lone surrogate) at position {error.start}, so "
            "it cannot be kept as it is. Nothing was sent and nothing was deleted."
        ) from error
    if not any(_visible(character) for character in prompt):
        raise InvalidPrompt(
            "The prompt is empty or blank. Write one, or take the suggestion. Nothing was sent and "
            "nothing was deleted."
        )
    size += sum(len(text.encode("utf-8", "replace")) for text in beside if isinstance(text, str))
    if size > most:
        raise InvalidArgument(
            f"The prompt has {size:,} bytes, and at most {most:,} are sent (max_prompt_bytes). "
            "Shorten it. Nothing was sent and nothing was deleted."
        )
    return prompt


def _visible(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character)[0] not in "CZ"


def _key(name: object) -> str:
    return re.sub(r"[\W_]+", "", str(name)).lower()


def _clean(value: object) -> str:
    """Return one tidy line of text, ``""`` for every spelling of "nothing"."""
    if value is None or isinstance(value, bool):
        return ""
    text = unicodedata.normalize("NFC", str(value))
    text = "".join(c if _visible(c) else " " for c in text if unicodedata.category(c) != "Cf")
    text = _QUOTES.sub("", _QUOTE_BETWEEN.sub(" ", text))
    previous = None
    while text != previous:
        previous = text
        text = _EMPTY_WORD.sub("", text)
        text = _EMPTY_BRACKETS.sub(" ", text)
        text = _SPACE_BEFORE.sub(r"\1", text)
        text = _REPEATED.sub(r"\1", text)
        text = _STOPS.sub(".", text)
        text = _BEFORE_STOP.sub("", text)
        text = re.sub(r"\s+", " ", text).strip(" ,;:.'’‘")
    return "" if text.lower() in _EMPTY or not any(c.isalnum() for c in text) else _cut(text)


def _cut(text: str) -> str:
    if len(text) <= _FACT_LIMIT:
        return text
    head = text[:_FACT_LIMIT]
    sentence = head.rfind(". ")
    end = sentence if sentence > _FACT_LIMIT // 2 else head.rfind(" ")
    return head[: end if end > 0 else _FACT_LIMIT].rstrip(" ,;:.'’‘([{<")


def _words(name: object) -> str:
    """Return a key as words: ``eyeColor`` and ``eye_color`` are both ``eye color``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(name))
    return _clean(re.sub(r"[_\-]+", " ", spaced)).lower()


def _texts(value: object, *, depth: int = 0) -> Iterator[str]:
    """Yield the texts of a value in a stable order; keys of inner mappings label theirs."""
    if depth > 6:
        return
    if isinstance(value, Mapping):
        for name in sorted(value, key=str):
            inner = "; ".join(_unique(_texts(value[name], depth=depth + 1)))
            label = _words(name)
            if inner:
                yield f"{label} {inner}" if label else inner
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        for each in value:
            yield from _texts(each, depth=depth + 1)
    else:
        text = _clean(value)
        if text:
            yield text


def _unique(texts: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _collect(value: Mapping[Any, Any], found: dict[str, list[str]], *, depth: int = 0) -> None:
    for name in sorted(value, key=str):
        key, inner = _key(name), value[name]
        fact = _FACT_OF.get(key)
        if isinstance(inner, Mapping) and depth < 6 and (key in _CONTAINERS or _holds_facts(inner)):
            if fact is not None or key in _CONTAINERS:
                _collect(inner, found, depth=depth + 1)
                if fact is not None:
                    rest = {n: v for n, v in inner.items() if _key(n) not in _FACT_OF}
                    found.setdefault(fact, []).extend(_texts(rest))
        elif fact is not None:
            found.setdefault(fact, []).extend(_texts(inner))


def _holds_facts(value: Mapping[Any, Any]) -> bool:
    return any(_key(name) in _FACT_OF for name in value)


def facts_of(character: CharacterReference) -> dict[str, str]:
    """Return what is known of the character's looks, in the template's order.

    Only appearance enters: name, age, ethnicity, gender, physique, face, hair, marks, wardrobe.
    Keys are found in camelCase, snake_case or words, at the top level or below containers such as
    ``generationMetadata.bamlData``. Empty values in any spelling ("", null, "N/A", …) are left out.
    """
    found: dict[str, list[str]] = {}
    _collect(character.traits, found)
    facts: dict[str, str] = {}
    name = _clean(character.name)
    if name:
        facts["name"] = name
    for fact in _LABEL_OF:
        text = _clean("; ".join(_unique(iter(found.get(fact, [])))))
        if text:
            facts[fact] = text
    return facts


def suggest_prompt(character: CharacterReference) -> PromptSuggestion:
    """Suggest the prompt of a master reference. Deterministic; see `TEMPLATE` for the version."""
    facts = facts_of(character)
    sentences = [_OPENING.replace("{subject}", facts.get("name", "one person"))]
    sentences += [f"{_LABEL_OF[fact]}: {text}." for fact, text in facts.items() if fact != "name"]
    sentences.append(_BODY)
    return PromptSuggestion(prompt=" ".join(sentences), template=TEMPLATE, facts=facts)


class TemplatePromptSuggester:
    """The default `PromptSuggester`: `suggest_prompt`."""

    def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
        """Return the suggestion; pure and deterministic."""
        return suggest_prompt(character)


# fmt: off
_COLOURS = frozenset(
    {
        "amber", "aqua", "auburn", "azure", "beige", "black", "blackish", "blond", "blonde", "blue",
        "bluish", "bronze", "brown", "brownish", "brunette", "burgundy", "charcoal", "chestnut",
        "cobalt", "copper", "cream", "crimson", "cyan", "ebony", "emerald", "fuchsia", "ginger",
        "gold", "golden", "gray", "grayish", "green", "greenish", "grey", "greyish", "hazel",
        "indigo", "ivory", "khaki", "lavender", "lilac", "magenta", "mahogany", "maroon", "mauve",
        "navy", "ochre", "olive", "orange", "pink", "pinkish", "platinum", "purple", "purplish",
        "red", "reddish", "rust", "sapphire", "scarlet", "silver", "tan", "teal", "turquoise",
        "violet", "white", "whitish", "yellow", "yellowish"
    }
)
_NUMERALS = frozenset(
    {
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
        "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand",
        "dozen"
    }
)
_BEGINNINGS = frozenset(
    {
        "a", "an", "and", "at", "both", "he", "her", "hers", "his", "in", "is", "it", "its", "on",
        "one", "she", "the", "their", "there", "they", "this", "with"
    }
)
"""What begins a sentence of a model's without being a name."""
# fmt: on
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_TERM = re.compile(r"[^\W\d_]+")
_MARKUP = re.compile(r"[{}<>\[\]|\\#*]")


def unsupported_terms(prompt: str, character: CharacterReference) -> tuple[str, ...]:
    """Return the numbers, colours and proper nouns of a prompt that no data stands behind.

    For prompts that a model wrote: what comes back was invented. A proper noun is a capitalised
    word inside a sentence. The template's own words count as known.
    """
    known = " ".join((*facts_of(character).values(), _OPENING, _BODY, *_LABEL_OF.values()))
    return _unsupported(prompt, known, at_beginning=False)


def _unsupported(text: str, known: str, *, at_beginning: bool) -> tuple[str, ...]:
    """Return the terms of a text that are not in another; compounds are judged by their parts.

    Args:
        text: What is judged.
        known: What may occur.
        at_beginning: Whether a capitalised word that begins a sentence is judged, too.
    """
    known_words = set(_TERM.findall(known.lower()))
    known_numbers = set(_NUMBER.findall(known))
    found = [number for number in _NUMBER.findall(text) if number not in known_numbers]
    for match in _TERM.finditer(text):
        word = match.group()
        lower = word.lower()
        if at_beginning:
            named = word[0].isupper() and lower not in _BEGINNINGS
        else:
            before = text[: match.start()].rstrip(" (\"'“‘")
            named = word[0].isupper() and bool(before) and before[-1] not in ".!?:\n"
        if (named or lower in _COLOURS or lower in _NUMERALS) and lower not in known_words:
            found.append(word)
    return tuple(dict.fromkeys(found))


class RefusedDescription(ValueError):
    """A model's description breaks a rule; the text names the rule and quotes nothing.

    Attributes:
        terms: What the description holds that no data stands behind.
    """

    def __init__(self, reason: str, terms: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.terms = terms


def describe(character: CharacterReference, description: str) -> PromptSuggestion:
    """Return the template's photograph of a person whom a model has described.

    Args:
        character: Whose facts the model was given.
        description: The looks, in prose. Quotation marks are taken out.

    Raises:
        RefusedDescription: It is empty or long, holds markup or an empty value, or terms that no
            data stands behind.
    """
    facts = facts_of(character)
    if len(description) > _FACT_LIMIT:
        raise RefusedDescription(f"The model's text is longer than {_FACT_LIMIT:,} characters.")
    if _MARKUP.search(description):
        raise RefusedDescription("The model's text holds markup.")
    if _EMPTY_VALUE.search(description):
        raise RefusedDescription("The model's text holds an empty value, such as null.")
    text = _clean(description).rstrip("!? ,;:.'’‘")
    if not text:
        raise RefusedDescription("The model's text is empty.")
    terms = _unsupported(text, " ".join((*facts.values(), *_LABEL_OF.values())), at_beginning=True)
    if terms:
        raise RefusedDescription(
            "The model's text holds proper nouns, numbers or colours that the character's data "
            f"does not hold: {len(terms)} in all.",
            terms,
        )
    opening = _OPENING.replace("{subject}", facts.get("name", "one person"))
    return PromptSuggestion(prompt=f"{opening} {text}. {_BODY}", template=DESCRIBED, facts=facts)
