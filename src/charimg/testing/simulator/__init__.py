"""A Character Library in this process: behaves as the real one was recorded, and draws."""

from __future__ import annotations

from .core import Simulator as Simulator
from .exchange import Counters as Counters
from .exchange import SimulatedRequest as SimulatedRequest
from .exchange import SimulatedResponse as SimulatedResponse
from .switches import Switches as Switches

__all__ = ["Counters", "SimulatedRequest", "SimulatedResponse", "Simulator", "Switches"]
