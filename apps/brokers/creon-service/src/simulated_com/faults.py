"""What may go wrong, by name; tests switch it on by the side channel, a number of times or (−1) until cleared."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

FAULTS = {
    "hang": "a COM call does not return until it is released ({match, count})",
    "popup": "an order opens the confirmation window; answered by the side channel",
    "slow": "each BlockRequest takes `ms` longer",
    "lost-after-accept": "an order is taken, and BlockRequest returns 1",
    "lost-before-accept": "an order is not taken, and BlockRequest returns 1",
    "crash-after-accept": "the process dies after an order was taken, before BlockRequest returns",
    "return-4": "a trade request is refused by the limit: nothing sent",
    "return-3": "BlockRequest returns 3",
    "garbage": "fields come back as text that is no number, or as nothing",
    "notices-before-reply": "notices are delivered before the order's BlockRequest returns",
    "duplicate-notice": "each fill notice comes twice",
    "drop-notice": "a fill notice is lost",
    "late-notices": "notices wait until they are released",
    "continue-for-ever": "Continue stays 1 and the last page repeats",
    "raise-when-disconnected": "calls raise instead of returning 1 while there is no session",
    "login-fails": "the starter ends without a session",
}


@dataclass
class Fault:
    name: str
    count: int = -1
    match: str = ""
    values: dict[str, Any] = field(default_factory=dict)


class Faults:
    def __init__(self) -> None:
        self._active: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self.released = threading.Event()
        self.popup_answer = ""
        self.popup_open = threading.Event()
        self.hanging = threading.Event()

    def set(self, name: str, count: int = -1, match: str = "", **values: Any) -> None:
        if name not in FAULTS:
            raise ValueError(f"expected one of {', '.join(FAULTS)}; found {name}")
        with self._lock:
            self._active[name] = Fault(name, count, match.lower(), values)
            if name in ("hang", "popup"):
                self.released.clear()

    def clear(self, name: str | None = None) -> None:
        with self._lock:
            if name is None:
                self._active.clear()
            else:
                self._active.pop(name, None)
        self.released.set()

    def active(self) -> dict[str, int]:
        with self._lock:
            return {fault.name: fault.count for fault in self._active.values()}

    def take(self, name: str, subject: str = "") -> Fault | None:
        """The fault, if it applies to this call; one use less is left."""
        with self._lock:
            fault = self._active.get(name)
            if fault is None or fault.count == 0 or (fault.match and fault.match not in subject.lower()):
                return None
            if fault.count > 0:
                fault.count -= 1
            return fault
