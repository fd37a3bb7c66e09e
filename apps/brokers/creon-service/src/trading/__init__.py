"""What acts on the account: each request is on disk before it is sent, is sent once, and ends in an honest outcome."""

from __future__ import annotations

from .fences import Fences
from .outcomes import AmbiguousError, ConflictError, Outcome
from .requests import Act, Timings, Trading
from .settling import Settling

__all__ = ["Act", "AmbiguousError", "ConflictError", "Fences", "Outcome", "Settling", "Timings", "Trading"]
