"""The venue's own calendar: on which days the KRX is open, and the phases of a day (KST, HHMMSS).

Days are facts and stand in `krx_days.json`: weekdays without trading, and other hours. JTS has a table of its own, and
`apps/jts/src/brokers/krx-days.test.ts` shows that both say the same of every day. What the hours mean is decided here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

Phase = Literal["closed", "opening_auction", "continuous", "closing_auction", "after_close", "single_price"]


@dataclass(frozen=True)
class Hours:
    entry_from: int
    open_at: int
    auction_from: int
    close_at: int
    after_close_from: int
    single_price_from: int
    end_at: int

    def phase(self, hhmmss: int) -> Phase:
        if hhmmss < self.entry_from or hhmmss >= self.end_at:
            return "closed"
        if hhmmss < self.open_at:
            return "opening_auction"
        if hhmmss < self.auction_from:
            return "continuous"
        if hhmmss < self.close_at:
            return "closing_auction"
        if hhmmss < self.single_price_from:
            return "after_close"
        return "single_price"


def _hours(written: dict[str, Any]) -> Hours:
    names = ("entry", "open", "auction", "close", "afterClose", "singlePrice", "end")
    return Hours(*(int(written[name].replace(":", "")) * 100 for name in names))


def _day(iso: str) -> int:
    return int(iso.replace("-", ""))


_DAYS = json.loads((Path(__file__).parent / "krx_days.json").read_text(encoding="utf-8"))
CLOSED_DAYS = frozenset(_day(f"{year}-{day}") for year, days in _DAYS["closed"].items() for day in days.split())
USUAL_HOURS = _hours(_DAYS["hours"])
OTHER_HOURS = {_day(iso): _hours(other) for other in _DAYS["otherHours"] for iso in other["dates"]}


def hours_of(day: int) -> Hours:
    """As they are held on a trading day."""
    return OTHER_HOURS.get(day, USUAL_HOURS)


@dataclass(frozen=True)
class Sessions:
    """`always_open` is for demonstrations at night."""

    always_open: bool = False

    def phase(self, day: int, hhmmss: int) -> Phase:
        if self.always_open:
            return "continuous"
        return hours_of(day).phase(hhmmss) if is_trading_day(day) else "closed"


def to_date(day: int) -> date:
    return date(day // 10_000, day // 100 % 100, day % 100)


def from_date(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day


def is_trading_day(day: int) -> bool:
    return to_date(day).weekday() < 5 and day not in CLOSED_DAYS


def trading_day_after(day: int, count: int = 1) -> int:
    """The count-th trading day after `day`: settlement is the second."""
    current = to_date(day)
    while count > 0:
        current += timedelta(days=1)
        if is_trading_day(from_date(current)):
            count -= 1
    return from_date(current)


def trading_day_before(day: int) -> int:
    current = to_date(day) - timedelta(days=1)
    while not is_trading_day(from_date(current)):
        current -= timedelta(days=1)
    return from_date(current)


def trading_days(first: int, last: int) -> list[int]:
    days, current, end = [], to_date(first), to_date(last)
    while current <= end:
        if is_trading_day(from_date(current)):
            days.append(from_date(current))
        current += timedelta(days=1)
    return days
