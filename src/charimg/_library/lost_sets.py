"""Which shots of a 360° set the files of a lost job show: pure, and sure or silent.

No gallery shows what a job has drawn that failed at its end, or stands still. Its files are there,
named after the character, the lens and the look (contract page, second part). Some shots of a set
share both; the server draws them in the order in which it lists them, and that tells them apart
where no other order fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import frozen

from ..models import Shot
from .filenames import ShotFile
from .values import ReferenceShot

__all__ = ["Told", "full_looks", "is_retried", "look_name", "look_names", "tell_shots"]


@frozen(kw_only=True)
class Told:
    """What the files of a set show.

    Attributes:
        shots: The shot of each file, in their order.
        missing: The shots that no file shows.
        too_many: Whether there are more files of a look than shots: somebody else has drawn, too.
        repeated: The places of files that show the same shot; no set has all of them.
    """

    shots: tuple[Shot, ...]
    missing: tuple[Shot, ...]
    too_many: bool
    repeated: tuple[int, ...] = ()


def is_retried(file: ShotFile, following: ShotFile | None) -> bool:
    """Tell whether the next file is another try at the same shot, which the server goes on with."""
    if following is None:
        return False
    same = (file.who, file.lens_mm, file.look) == (
        following.who,
        following.lens_mm,
        following.look,
    )
    return same and following.attempt == file.attempt + 1


def tell_shots(files: Sequence[ShotFile], reference: Sequence[ReferenceShot]) -> Told:
    """Tell which shot each file shows.

    Args:
        files: The names of the files, the oldest first.
        reference: The shots of a set, in the order in which the server draws them.
    """
    looks = [(each.shot.lens_mm or 0, _look(each)) for each in reference]
    shown: list[tuple[float, str]] = [(file.lens_mm, file.look) for file in files]
    there = Counter(looks)
    first = _placed(shown, looks)
    last = [len(looks) - 1 - place for place in reversed(_placed(shown[::-1], looks[::-1]))]
    in_order = len(first) == len(shown)
    places: list[int | None] = []
    for index, look in enumerate(shown):
        if there[look] == 1:
            places.append(looks.index(look))
        else:
            sure = in_order and first[index] == last[index]
            places.append(first[index] if sure else None)
    vague = Counter(look for look, place in zip(shown, places, strict=True) if place is None)
    left = vague.copy()
    missing = []
    for place, (each, look) in enumerate(zip(reference, looks, strict=True)):
        if place in places:
            continue
        if left[look] > 0:
            # Which of these was drawn is not known, nor which was not.
            left[look] -= 1
        else:
            missing.append(_vague(*look) if look in vague else each.shot)
    number = Counter(shown)
    return Told(
        shots=tuple(
            _vague(*look) if place is None else reference[place].shot
            for look, place in zip(shown, places, strict=True)
        ),
        missing=tuple(missing),
        too_many=bool(reference and number - there),
        repeated=tuple(
            index
            for index, look in enumerate(shown)
            # A look that the list does not have may be a newer shot's.
            if reference and number[look] > max(1, there[look])
        ),
    )


def look_names(reference: Sequence[ReferenceShot]) -> dict[str, str]:
    """Return what each shot, by its name, is called where only its look is sure."""
    return {each.shot.name: _vague(each.shot.lens_mm or 0, _look(each)).name for each in reference}


def look_name(file: ShotFile) -> str:
    """Return what the shot of a file is called where only its look is sure."""
    return _vague(file.lens_mm, file.look).name


def full_looks(names: Iterable[str], reference: Sequence[ReferenceShot]) -> frozenset[str]:
    """Return the looks of which a set that has shots of these names has all."""
    alike = look_names(reference)
    there = Counter(alike.values())
    have = Counter(alike.get(name, name) for name in names)
    return frozenset(look for look, number in there.items() if have[look] >= number)


def _look(each: ReferenceShot) -> str:
    return "_".join(filter(None, (each.angle, each.shot.crop, each.shot.expression)))


def _placed(shown: Sequence[object], looks: Sequence[object]) -> list[int]:
    """Put each file at the first place after the one before; the list ends where that fails."""
    places: list[int] = []
    for look in shown:
        try:
            places.append(looks.index(look, places[-1] + 1 if places else 0))
        except ValueError:
            break
    return places


def _vague(lens_mm: float, look: str) -> Shot:
    return Shot(name=f"{lens_mm:g}mm {look.replace('_', ' ')}", lens_mm=lens_mm)
