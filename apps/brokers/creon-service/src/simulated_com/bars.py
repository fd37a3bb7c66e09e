"""Candles the venue knows: recorded ones given by path, and made-up ones that a seed fixes for ever.

A day has one bar a minute stamped by its END (901 to 1520) and the closing auction at 1530; other hours move them. What
is recorded wins; days without a record are made up from the last close before them, and minutes of a recorded day from
that day's bar.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .calendar import Hours, hours_of, trading_days
from .rules import daily_limits, round_to_tick, tick_size


@dataclass(frozen=True)
class Bar:
    date: int
    # HHMM of the bar's end; 0 for a day.
    time: int
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True)
class Listing:
    code: str
    name: str
    market: str = "KOSPI"
    kind: str = "stock"
    # The close before the first made-up day.
    base: int = 50_000
    listed_shares: int = 100_000_000
    halted: bool = False
    administrative: bool = False
    # 0 normal, 1 caution, 2 warning, 3 danger announced, 4 danger.
    control: int = 0
    # (first day, factor) of splits in the past. Bars are kept as of now; a raw chart shows what was traded then.
    splits: tuple[tuple[int, int], ...] = ()


@lru_cache
def minute_times(hours: Hours) -> tuple[int, ...]:
    """HHMM of the ends of a day's bars: each minute of continuous trading, then the closing auction."""
    first, last = minute_of(hours.open_at) + 1, minute_of(hours.auction_from)
    return (*(minute // 60 * 100 + minute % 60 for minute in range(first, last + 1)), hours.close_at // 100)


def minute_of(hhmmss: int) -> int:
    """Minutes since midnight."""
    return hhmmss // 10_000 * 60 + hhmmss // 100 % 100


def _chance(*parts: object) -> float:
    """0 <= x < 1, the same for the same parts on every machine."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def read_recording(path: Path) -> list[Bar]:
    """A CSV (or .gz) with `date` or `kst_yyyymmddhhmm`, and open, high, low, close, volume."""
    opener = gzip.open if path.suffix == ".gz" else open
    bars: list[Bar] = []
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            stamp = (row.get("kst_yyyymmddhhmm") or row.get("date") or "").replace("-", "")
            if not stamp.isdigit() or len(stamp) not in (8, 12):
                raise ValueError(f"expected a date or kst_yyyymmddhhmm in {path.name}; found {stamp!r}")
            values = {name: int(row[name]) for name in ("open", "high", "low", "close", "volume")}
            bars.append(Bar(int(stamp[:8]), int(stamp[8:] or "0"), **values))
    return sorted(bars, key=lambda bar: (bar.date, bar.time))


class BarSource:
    """All bars of one listing. Random access: asking for one day never depends on what was asked before."""

    def __init__(self, listing: Listing, seed: int, since: int, recordings: list[list[Bar]]) -> None:
        self.listing = listing
        self._seed = seed
        self._since = since
        self._minutes: dict[int, list[Bar]] = {}
        self._recorded_days: dict[int, Bar] = {}
        for recording in recordings:
            for bar in recording:
                if bar.time == 0:
                    self._recorded_days[bar.date] = bar
                else:
                    self._minutes.setdefault(bar.date, []).append(bar)
        self._days: list[Bar] = []
        self._dates: list[int] = []
        self._made_minutes: dict[int, list[Bar]] = {}

    def days(self, until: int) -> list[Bar]:
        """Daily bars from the beginning to `until` (inclusive), oldest first."""
        if not self._dates or self._dates[-1] < until:
            self._extend(until)
        return self._days[: bisect_left(self._dates, until + 1)]

    def minutes(self, date: int) -> list[Bar]:
        recorded = self._minutes.get(date)
        if recorded is not None:
            return recorded
        if date not in self._made_minutes:
            day = next((bar for bar in reversed(self.days(date)) if bar.date == date), None)
            if len(self._made_minutes) > 64:
                self._made_minutes.clear()
            self._made_minutes[date] = [] if day is None else list(self._make_minutes(day))
        return self._made_minutes[date]

    def close_before(self, date: int) -> int:
        """The base price of a day."""
        days = self.days(date)
        before = [bar for bar in days[-2:] if bar.date < date]
        if before:
            return before[-1].close
        # Before a record begins, its first open is the best there is.
        recorded = self._recorded_days or self._minutes
        return days[0].open if days and recorded else self.listing.base

    def _extend(self, until: int) -> None:
        if self.listing.halted:
            return
        first_recorded = min((*self._recorded_days, *self._minutes), default=None)
        since = self._since if first_recorded is None else first_recorded
        start = since if not self._dates else self._dates[-1] + 1
        close = self._days[-1].close if self._days else self.listing.base
        for date in trading_days(start, until):
            if date in self._recorded_days:
                bar = self._recorded_days[date]
            elif date in self._minutes:
                bar = _aggregate(self._minutes[date])
            else:
                bar = self._make_day(date, close)
            self._days.append(bar)
            self._dates.append(date)
            close = bar.close

    def _make_day(self, date: int, base: int) -> Bar:
        market, kind = self.listing.market, self.listing.kind
        upper, lower = daily_limits(base, date, market, kind)

        def price(change: float) -> int:
            return min(upper, max(lower, round_to_tick(base * math.exp(change), date, market, kind)))

        def draw(name: str) -> float:
            return _chance(self._seed, self.listing.code, date, name)

        # Pulled back to the listing's own level, so that years of made-up days stay in a sane range.
        pull = 0.02 * math.log(self.listing.base / base)
        opened = price((draw("open") - 0.5) * 0.01)
        closed = price(pull + (draw("close") + draw("close2") - 1) * 0.035)
        high = min(
            upper, max(opened, closed) + int(draw("high") * 6) * tick_size(max(opened, closed), date, market, kind)
        )
        low = max(
            lower, min(opened, closed) - int(draw("low") * 6) * tick_size(min(opened, closed) - 1, date, market, kind)
        )
        high = round_to_tick(high, date, market, kind)
        low = round_to_tick(low, date, market, kind)
        volume = int(400_000 * (0.5 + draw("volume")))
        return Bar(
            date, 0, opened, min(upper, max(high, opened, closed)), max(lower, min(low, opened, closed)), closed, volume
        )

    def _make_minutes(self, day: Bar) -> Iterator[Bar]:
        """A bridge from open to close that touches high and low once and adds up to the day's volume."""
        if day.volume == 0:
            return
        market, kind = self.listing.market, self.listing.kind
        times = minute_times(hours_of(day.date))
        count = len(times)
        peak = 1 + int(_chance(self._seed, self.listing.code, day.date, "peak") * (count - 3))
        trough = 1 + int(_chance(self._seed, self.listing.code, day.date, "trough") * (count - 3))
        if trough == peak:
            trough = peak + 1
        left, last = day.volume, day.open
        for index, time in enumerate(times):
            share = (index + 1) / count
            noise = (
                (_chance(self._seed, self.listing.code, day.date, index) - 0.5)
                * 0.004
                * day.open
                * math.sin(math.pi * share)
            )
            wanted = round_to_tick(day.open + (day.close - day.open) * share + noise, day.date, market, kind)
            close = min(day.high, max(day.low, wanted))
            if index == count - 1:
                close = day.close
            opened = day.open if index == 0 else (close if time == times[-1] else last)
            high, low = max(opened, close), min(opened, close)
            if index == peak:
                high = day.high
            if index == trough:
                low = day.low
            volume = left if index == count - 1 else day.volume // (count + 9)
            left -= volume
            yield Bar(day.date, time, opened, high, low, close, volume)
            last = close


def _aggregate(minutes: list[Bar]) -> Bar:
    return Bar(
        minutes[0].date,
        0,
        minutes[0].open,
        max(bar.high for bar in minutes),
        min(bar.low for bar in minutes),
        minutes[-1].close,
        sum(bar.volume for bar in minutes),
    )
