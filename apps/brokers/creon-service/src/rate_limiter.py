"""Creon's request limits: 60 quote and 20 trade requests in 15 s. Kept on our side, so that its own are never reached.

Creon counts windows from their first request; counting the last 15 s at every moment never asks more than that allows.
What is left near the end of a budget is kept for what matters more: a cancel may use all of it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from domain.words import Priority

Budget = Literal["trade", "quote"]


@dataclass(frozen=True)
class Limit:
    """As documented by the broker on `date`."""

    name: Budget
    limit: int
    window_us: int
    date: str
    # The part of the budget that each priority may use.
    shares: Mapping[Priority, int]


TRADE_LIMIT = Limit(
    "trade",
    20,
    15_000_000,
    "2018-01-01",
    {Priority.CANCEL: 20, Priority.REDUCE: 18, Priority.NEW: 16, Priority.RECONCILE: 12},
)
QUOTE_LIMIT = Limit(
    "quote",
    60,
    15_000_000,
    "2018-01-01",
    {
        Priority.CANCEL: 60,
        Priority.REDUCE: 60,
        Priority.NEW: 60,
        Priority.RECONCILE: 60,
        Priority.QUOTES: 58,
        Priority.HISTORY: 50,
    },
)
SUBSCRIPTION_LIMIT = 400


@dataclass(frozen=True)
class LimitState:
    name: str
    limit: int
    remaining: int
    window_us: int
    # From now; None while nothing is used.
    resets_in_us: int | None


class RateLimiter:
    """One budget. Asked by the COM thread, looked at by the API."""

    def __init__(self, limit: Limit, now_us: Callable[[], int]) -> None:
        self.limit = limit
        self._now_us = now_us
        self._sent: deque[int] = deque()
        self._blocked_until_us = 0
        self._lock = threading.Lock()

    def try_take(self, priority: Priority) -> bool:
        with self._lock:
            now = self._now_us()
            self._forget(now)
            if now < self._blocked_until_us or len(self._sent) >= self._share(priority):
                return False
            self._sent.append(now)
            return True

    def wait_us(self, priority: Priority) -> int:
        """How long until one request of this priority may go."""
        with self._lock:
            now = self._now_us()
            self._forget(now)
            blocked = max(0, self._blocked_until_us - now)
            over = len(self._sent) - self._share(priority)
            if over < 0:
                return blocked
            return max(blocked, self._sent[over] + self.limit.window_us - now)

    def block_for(self, us: int) -> None:
        """The broker's own count says no (return code 4): somebody else uses the login, or we were started anew."""
        with self._lock:
            self._blocked_until_us = max(self._blocked_until_us, self._now_us() + us)

    def state(self) -> LimitState:
        with self._lock:
            now = self._now_us()
            self._forget(now)
            used = len(self._sent)
            blocked = self._blocked_until_us - now
            resets = max(self._sent[-1] + self.limit.window_us - now if used else 0, blocked)
            remaining = 0 if blocked > 0 else self.limit.limit - used
            return LimitState(
                self.limit.name, self.limit.limit, remaining, self.limit.window_us, resets if resets > 0 else None
            )

    def _share(self, priority: Priority) -> int:
        return self.limit.shares.get(priority, 0)

    def _forget(self, now: int) -> None:
        while self._sent and now - self._sent[0] >= self.limit.window_us:
            self._sent.popleft()


def shortened(limit: Limit, window_us: int) -> Limit:
    """Against the simulated broker, whose windows tests make shorter."""
    return replace(limit, window_us=window_us)
