"""Where connections belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from charimg._arguments import checked
from charimg._home import Home

if TYPE_CHECKING:
    Odd = Any
else:
    Odd = "anything"


@checked
class Free:
    """Something whose annotation is no type."""

    def take(self, value: Odd) -> object:
        """Return it."""
        return value


def test_a_thread_is_at_home_everywhere() -> None:
    assert not Home("service").left()


def test_what_no_type_is_refuses_nothing() -> None:
    anything: Any = 7
    assert Free().take(anything) == 7
