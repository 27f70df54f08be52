"""The suggested prompt: only what is known, no holes, every rule of the photograph."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charimg import CharacterReference, InvalidPrompt, TemplatePromptSuggester, prompts
from charimg.prompts import (
    TEMPLATE,
    RefusedDescription,
    check_prompt,
    describe,
    facts_of,
    suggest_prompt,
    unsupported_terms,
)
from charimg.protocols import PromptSuggester

LENA = CharacterReference(
    id="lena",
    name="Lena Marlow",
    traits={
        "age": 34,
        "gender": "female",
        "eye_color": "green",
        "generationMetadata": {
            "bamlData": {
                "ethnicity": "Nordic",
                "physicalDescription": {"build": "lean", "marks": "scar on left cheek"},
                "hair": {"color": "auburn", "style": "shoulder-length waves"},
            }
        },
        "wardrobe": ["grey wool coat", "None", "black boots"],
        "backstory": "Born in Prague, hunts for a diamond",
        "skills": [{"skill": "fencing"}],
    },
)


def test_a_full_character_reads_as_a_photographer_would_write() -> None:
    suggestion = suggest_prompt(LENA)
    assert suggestion.template == TEMPLATE
    assert suggestion.prompt.startswith(
        "Photorealistic master reference photograph of Lena Marlow, for use as the visual "
        "reference of this one person in film production. Age: 34. Ethnicity: Nordic. "
        "Gender: female. "
        "Build: lean. Eyes: green. Hair: color auburn; style shoulder-length waves. "
        "Distinguishing marks: scar on left cheek. Wardrobe: grey wool coat; black boots. Authentic"
    )
    assert dict(suggestion.facts) == {
        "name": "Lena Marlow",
        "age": "34",
        "ethnicity": "Nordic",
        "gender": "female",
        "build": "lean",
        "eyes": "green",
        "hair": "color auburn; style shoulder-length waves",
        "distinguishing_marks": "scar on left cheek",
        "wardrobe": "grey wool coat; black boots",
    }


@pytest.mark.parametrize(
    "rule",
    [
        "skin texture with visible pores and subtle imperfections",
        "subsurface scattering",
        "micro-expressions",
        "35mm lens at f/4, ISO 200, 1/250s",
        "slightly low angle with matched eye level",
        "Chest-to-mid-thigh crop with equal headroom",
        "left and right thirds",
        "inter-subject gap of about 7% of the frame width",
        "Neutral seamless studio background",
        "high dynamic range",
        "crisp focus",
        "accurate skin tones",
        "realistic eye moisture",
        "Magazine-quality photorealism",
        "NOT CGI, NOT 3D, NOT illustration, NOT cartoon",
        "no uncanny valley",
        "No quotes, no other objects, locations, actions or props, no text or watermarks",
    ],
)
def test_every_rule_stands_in_every_prompt(rule: str) -> None:
    assert rule in suggest_prompt(LENA).prompt
    assert rule in suggest_prompt(CharacterReference(id="x", name="")).prompt


def test_only_looks_enter() -> None:
    prompt = suggest_prompt(LENA).prompt
    for foreign in ("Prague", "diamond", "fencing"):
        assert foreign not in prompt


def test_nothing_known_still_reads_well() -> None:
    prompt = suggest_prompt(CharacterReference(id="x", name=" ")).prompt
    assert prompt.startswith("Photorealistic master reference photograph of one person, for use")
    assert suggest_prompt(CharacterReference(id="x", name=" ")).facts == {}


def test_the_default_suggester_is_one() -> None:
    suggester = TemplatePromptSuggester()
    assert isinstance(suggester, PromptSuggester)
    assert suggester.suggest(LENA) == suggest_prompt(LENA)


@pytest.mark.parametrize(
    ("traits", "facts"),
    [
        ({"ageYears": 7}, {"age": "7"}),
        ({"hair_style": "bun", "hairColor": "red"}, {"hair": "red; bun"}),
        ({"physicalDescription": "tall,, thin (null) ."}, {"physical_description": "tall, thin"}),
        (
            {"physicalDescription": {"height": "180cm", "posture": "upright"}},
            {"height": "180cm", "physical_description": "posture upright"},
        ),
        ({"appearance": {"posture": "upright"}}, {"physical_description": "posture upright"}),
        ({"clothing": {"": "a coat"}}, {"wardrobe": "a coat"}),
        ({"hair": ["long", ["long", "wet"]]}, {"hair": "long; wet"}),
        ({"face": True, "skin": None, "eyes": "N/A", "build": "()", "sex": "[]"}, {}),
        ({"gender": '"woman"', "age": "“30”"}, {"gender": "woman", "age": "30"}),
        ({"locations": {"town": "Rome", "hair": "red"}}, {}),
        ({"hair": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": "x"}}}}}}}}}, {}),
        ({"traits": "brave"}, {}),
        ({"hair": {"Length_now": "long"}}, {"hair": "length now long"}),
        ({"hair": {"a": {"b": {"c": {"d": {"e": {"f": "x"}}}}}}}, {"hair": "a b c d e f x"}),
        ({"hair": {"a": {"b": {"c": {"d": {"e": {"f": {"g": "x"}}}}}}}}, {}),
        ({"hair": [[[[[["wet"]]]]]]}, {"hair": "wet"}),
        ({"hair": [[[[[[["wet"]]]]]]]}, {}),
    ],
)
def test_spellings_and_empties(traits: dict[str, object], facts: dict[str, str]) -> None:
    assert facts_of(CharacterReference(id="x", name="", traits=traits)) == facts


@pytest.mark.parametrize(("depth", "found"), [(6, {"hair": "red"}), (7, {})])
def test_containers_are_looked_through_so_deep(depth: int, found: dict[str, str]) -> None:
    traits: dict[str, object] = {"hair": "red"}
    for _ in range(depth):
        traits = {"profile": traits}
    assert facts_of(CharacterReference(id="x", name="", traits=traits)) == found


def test_a_very_long_fact_is_cut_at_a_sentence_or_a_word() -> None:
    def hair(text: str) -> str:
        return facts_of(CharacterReference(id="x", name="", traits={"hair": text}))["hair"]

    assert hair("Dark waves. " * 200).endswith("Dark waves")
    assert len(hair("Dark waves. " * 200)) <= 1200
    assert hair("wave " * 400).endswith("wave")
    # An early sentence would leave little of it.
    early = hair("Dark. " + "wave " * 400)
    assert early.startswith("Dark. wave")
    assert len(early) > 1190
    assert len(hair("w" * 2000)) == 1200
    assert hair("a " + "w" * 2000) == "a"
    assert hair("w" * 1200) == "w" * 1200


HOLE = st.sampled_from(
    ["None", "null", "undefined", "", "N/A", "[]", "{}", "()", ", ,", "nan", "a,,b", "x ( ) y", "“"]
)
TEXT = st.one_of(HOLE, st.text(max_size=30), st.lists(HOLE, max_size=4).map(" ".join))
KEYS = st.sampled_from(
    [
        "age",
        "hair",
        "physicalDescription",
        "bamlData",
        "eye_color",
        "wardrobe",
        "backstory",
        "traits",
    ]
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
CHARACTERS = st.builds(
    CharacterReference, id=st.just("x"), name=TEXT, traits=st.dictionaries(KEYS, VALUES, max_size=5)
)


@given(CHARACTERS)
@settings(max_examples=300)
def test_no_hole_whatever_is_missing(character: CharacterReference) -> None:
    suggestion = suggest_prompt(character)
    prompt = suggestion.prompt
    assert not re.search(r"\b(None|null|undefined|nan|NaN)\b", prompt)
    assert not re.search(r"[,;:]\s*[,;:.]", prompt)
    assert not re.search(r"\(\s*\)|\[\s*\]|\{\s*\}", prompt)
    assert not re.search(r"\s\s|\s[,.;:]|\.\s*\.", prompt)
    assert not re.search(r"[\"“”„«»]", prompt)
    assert prompt == prompt.strip()
    check_prompt(prompt)


@pytest.mark.parametrize("between", ["«", '""', "()", "<->", "\u200d“\u200d"])
def test_what_is_left_out_between_two_words_joins_them_not(between: str) -> None:
    character = CharacterReference(id="x", name=f"Mara{between}Voss")
    assert facts_of(character)["name"] == "Mara Voss"


@given(CHARACTERS)
@example(CharacterReference(id="x", name="0«0", traits={}))
def test_no_word_that_is_not_in_the_data(character: CharacterReference) -> None:
    import unicodedata

    data = unicodedata.normalize("NFC", repr_of(character))
    data = "".join(c for c in data if unicodedata.category(c) != "Cf").lower()
    for text in facts_of(character).values():
        for word in re.findall(r"\w+", text.lower()):
            assert word in data


def repr_of(character: CharacterReference) -> str:
    """Every text and key of the data, joined."""

    def walk(value: object) -> str:
        if isinstance(value, dict):
            return " ".join(f"{spaced(name)} {walk(inner)}" for name, inner in value.items())
        if isinstance(value, list):
            return " ".join(walk(each) for each in value)
        return str(value)

    def spaced(name: object) -> str:
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(name)).replace("_", " ")

    return f"{character.name} {walk(dict(character.traits))}"


@given(CHARACTERS)
def test_the_order_of_the_data_does_not_matter(character: CharacterReference) -> None:
    turned = CharacterReference(
        id="x", name=character.name, traits=dict(reversed(character.traits.items()))
    )
    assert suggest_prompt(turned) == suggest_prompt(character)


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000", "\u200b\u200d", "\x00"])
def test_a_blank_prompt_is_refused(blank: str) -> None:
    with pytest.raises(InvalidPrompt, match="empty or blank"):
        check_prompt(blank)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidPrompt, match="at position 1"):
        check_prompt("a\ud800")


def test_a_prompt_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidPrompt, match="not a value of type int"):
        check_prompt(5)


@given(st.text(min_size=1).map(lambda text: text + "x"))
def test_any_other_prompt_comes_back_byte_for_byte(prompt: str) -> None:
    assert check_prompt(prompt) is prompt


def test_invented_terms_are_found() -> None:
    prompt = (
        "Portrait of Lena Marlow, 34, in Paris. Her hair is auburn, her red coat has 2 buttons."
    )
    assert unsupported_terms(prompt, LENA) == ("2", "Paris", "red")
    assert unsupported_terms("Lena's blue-green eyes, two scars.", LENA) == ("blue", "two")
    assert unsupported_terms(suggest_prompt(LENA).prompt, LENA) == ()
    # What the template and its labels say is known.
    assert unsupported_terms("It is Photorealistic, of Ethnicity and Texture.", LENA) == ()


def test_a_description_may_name_what_it_describes() -> None:
    assert "Hair auburn. Authentic" in describe(LENA, "Hair auburn.").prompt
    with pytest.raises(RefusedDescription) as caught:
        describe(LENA, "Hair auburn. Studio light.")
    assert caught.value.terms == ("Studio",)


WORDS = st.sampled_from(
    [
        "She",
        "has",
        "auburn",
        "blue",
        "34",
        "35",
        "Lena",
        "Paris",
        "null",
        '"tall"',
        "”",
        "()",
        ",,",
        ".",
        "green-eyed",
        "two",
        "«",
        "[",
        "grey",
    ]
)
WRITTEN = st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=12).map(" ".join))


@given(WRITTEN)
@example("A.!")
@settings(max_examples=300, deadline=None)
def test_whatever_a_model_writes_is_refused_or_keeps_the_rules(text: str) -> None:
    template = suggest_prompt(LENA).prompt
    try:
        prompt = describe(LENA, text).prompt
    except RefusedDescription:
        return
    assert prompt.startswith(template.partition(" Age: ")[0])
    assert prompt.endswith(template.partition("Authentic")[2])
    # A pronoun in capitals is no name.
    assert {term.lower() for term in unsupported_terms(prompt, LENA)} <= prompts._BEGINNINGS
    assert not re.search(r"\b(None|null|undefined|nan|NaN)\b", prompt)
    assert not re.search(r"[,;:]\s*[,;:.]|\(\s*\)|\s\s|\s[,.;:]|\.\s*\.", prompt)
    assert not re.search(r"[\"“”„«»{}\[\]]", prompt)
    check_prompt(prompt)


def test_a_description_of_somebody_without_a_name() -> None:
    nobody = CharacterReference(id="x", name="", traits={"age": 7})
    prompt = describe(nobody, "She is 7").prompt
    assert "photograph of one person, for use" in prompt
    assert "production. She is 7. Authentic" in prompt
