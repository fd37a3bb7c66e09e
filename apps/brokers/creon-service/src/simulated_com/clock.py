"""The venue's market clock, µs since the epoch: the wall's, the wall's moved, or one that tests move."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

KST = timezone(timedelta(hours=9))
SECOND_US = 1_000_000


class VenueClock(Protocol):
    def now_us(self) -> int: ...


class WallVenueClock:
    """Runs with the wall; `start_us` moves it, so that a market can be open at night."""

    def __init__(self, start_us: int | None = None) -> None:
        self._offset_us = 0 if start_us is None else start_us - time.time_ns() // 1000

    def now_us(self) -> int:
        return time.time_ns() // 1000 + self._offset_us


class ManualVenueClock:
    def __init__(self, start_us: int) -> None:
        self._now_us = start_us
        self._lock = threading.Lock()

    def now_us(self) -> int:
        with self._lock:
            return self._now_us

    def move_to(self, now_us: int) -> None:
        with self._lock:
            if now_us < self._now_us:
                raise ValueError(f"expected time to go on from {self._now_us}; found {now_us}")
            self._now_us = now_us


def kst(us: int) -> datetime:
    return datetime.fromtimestamp(us / SECOND_US, tz=KST)


def us_of(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=KST)
    delta = aware - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def date_of(us: int) -> int:
    """YYYYMMDD in KST, as Creon writes dates."""
    moment = kst(us)
    return moment.year * 10_000 + moment.month * 100 + moment.day


def at(date: int, hhmmss: int) -> int:
    """The moment of a KST date and time written as Creon writes them."""
    return us_of(
        datetime(
            date // 10_000,
            date // 100 % 100,
            date % 100,
            hhmmss // 10_000,
            hhmmss // 100 % 100,
            hhmmss % 100,
            tzinfo=KST,
        )
    )
