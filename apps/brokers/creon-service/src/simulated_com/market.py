"""Prices of one listing in time: ticks out of its minute bars or printed by a test, and a made-up book."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .bars import Bar, BarSource, _chance
from .calendar import Phase, Sessions, hours_of
from .clock import SECOND_US, at, date_of, kst
from .rules import daily_limits, tick_size

LEVELS = 10


@dataclass(frozen=True)
class Tick:
    time_us: int
    price: int
    volume: int
    # The print that ends an auction.
    auction: Literal["opening", "closing"] | None = None


@dataclass
class Today:
    date: int
    base: int
    open: int = 0
    high: int = 0
    low: int = 0
    last: int = 0
    volume: int = 0
    value: int = 0
    last_us: int = 0

    def add(self, tick: Tick) -> None:
        self.open = self.open or tick.price
        self.high = max(self.high, tick.price)
        self.low = min(self.low or tick.price, tick.price)
        self.last = tick.price
        self.volume += tick.volume
        self.value += tick.price * tick.volume
        self.last_us = tick.time_us


@dataclass
class Market:
    bars: BarSource
    sessions: Sessions
    # Nothing moves by itself; only printed trades do.
    quiet: bool = False
    today: Today | None = None
    prints: list[Tick] = field(default_factory=list)
    taken: dict[tuple[str, int], int] = field(default_factory=dict)
    at_us: int = 0
    seed: int = 0

    @property
    def code(self) -> str:
        return self.bars.listing.code

    def advance(self, now_us: int) -> list[Tick]:
        """Moves to `now_us` and tells the ticks on the way (at most those of the last day)."""
        date = date_of(now_us)
        if self.today is None or self.today.date != date:
            self.today = Today(date, self.bars.close_before(date))
            self.at_us = max(self.at_us, at(date, 0) - 1)
            self.taken.clear()
            self.prints.clear()
            # What was before `at_us` today has happened already: a restarted venue goes on where it was.
            for tick in self._ticks(date, at(date, 0) - 1, self.at_us):
                self.today.add(tick)
        ticks = self._ticks(date, self.at_us, now_us)
        self.at_us = max(self.at_us, now_us)
        for tick in ticks:
            self.today.add(tick)
        if ticks:
            self.taken.clear()
        return ticks

    def print(self, price: int, volume: int, now_us: int) -> Tick:
        tick = Tick(now_us, price, volume)
        self._today().add(tick)
        self.prints.append(tick)
        self.taken.clear()
        return tick

    def _today(self) -> Today:
        if self.today is None:
            raise RuntimeError("expected the market to have been advanced")
        return self.today

    def _ticks(self, date: int, after_us: int, until_us: int) -> list[Tick]:
        if self.quiet or self.bars.listing.halted:
            return []
        if self.sessions.always_open:
            return self._ticks_around_the_clock(date, after_us, until_us)
        return [
            tick for bar in self.bars.minutes(date) for tick in ticks_of(bar) if after_us < tick.time_us <= until_us
        ]

    def _ticks_around_the_clock(self, date: int, after_us: int, until_us: int) -> list[Tick]:
        """For demonstrations at night: a tick every 15 s on a path of the seed around the base."""
        base = self.bars.close_before(date)
        step = 15 * SECOND_US
        first = max(after_us // step + 1, (until_us - 3600 * SECOND_US) // step)
        ticks = []
        for slot in range(first, until_us // step + 1):
            drift = sum(_chance(self.seed, self.code, slot // 2**k, k) - 0.5 for k in range(10)) * 0.004
            unit = tick_size(base, date, self.bars.listing.market, self.bars.listing.kind)
            price = max(unit, int(base * (1 + drift) / unit) * unit)
            ticks.append(Tick(slot * step, price, 100 + int(900 * _chance(self.seed, self.code, slot))))
        return ticks

    def last(self) -> int:
        today = self._today()
        return today.last or today.base

    def limits(self) -> tuple[int, int]:
        today = self._today()
        return daily_limits(today.base, today.date, self.bars.listing.market, self.bars.listing.kind)

    def book(self, side: str) -> list[tuple[int, int]]:
        """(price, quantity) levels that a taker of `side` meets, best first, less what was taken since the tick."""
        listing, today = self.bars.listing, self._today()
        upper, lower = self.limits()
        levels: list[tuple[int, int]] = []
        price = self.last()
        if side == "buy":
            price += tick_size(price, today.date, listing.market, listing.kind)
        while len(levels) < LEVELS and lower <= price <= upper:
            made = 100 + int(900 * _chance(self.seed, listing.code, today.date, price, side))
            levels.append((price, max(0, made - self.taken.get((side, price), 0))))
            below = tick_size(price if side == "buy" else price - 1, today.date, listing.market, listing.kind)
            price += below if side == "buy" else -below
        return levels

    def take(self, side: str, price: int, quantity: int) -> None:
        self.taken[(side, price)] = self.taken.get((side, price), 0) + quantity

    def phase(self, now_us: int) -> Phase:
        moment = kst(now_us)
        return self.sessions.phase(date_of(now_us), moment.hour * 10_000 + moment.minute * 100 + moment.second)

    def minute_bars(self, date: int, now_us: int) -> list[Bar]:
        """Bars of a day as they stand: the running minute included, as Creon does."""
        if date < date_of(now_us):
            return self.bars.minutes(date)
        if self.quiet or self.sessions.always_open:
            ticks = self.prints if self.quiet else self._ticks(date, at(date, 0) - 1, now_us)
            return bars_of(ticks)
        done: list[Bar] = []
        for bar in self.bars.minutes(date):
            if at(date, bar.time * 100) <= now_us:
                done.append(bar)
                continue
            running = bars_of([tick for tick in ticks_of(bar) if tick.time_us <= now_us])
            return [*done, *running]
        return done

    def day_bars(self, now_us: int) -> list[Bar]:
        today = self._today()
        date = date_of(now_us)
        before = [bar for bar in self.bars.days(date) if bar.date < date]
        if today.volume == 0:
            return before
        # A finished day is told from its record, whole.
        if not self.quiet and not self.sessions.always_open and now_us >= at(date, hours_of(date).close_at):
            return self.bars.days(date)
        return [*before, Bar(date, 0, today.open, today.high, today.low, today.last, today.volume)]


def ticks_of(bar: Bar) -> list[Tick]:
    """Four prints a minute that make the bar again: open, the far end, the near end, close."""
    end, hours = at(bar.date, bar.time * 100), hours_of(bar.date)
    if bar.time == hours.close_at // 100:
        return [Tick(end, bar.close, bar.volume, auction="closing")]
    start = end - 60 * SECOND_US
    between = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    part = bar.volume // 4
    opens = start == at(bar.date, hours.open_at)
    prices = (bar.open, *between, bar.close)
    volumes = (part, part, part, bar.volume - 3 * part)
    return [
        Tick(start + index * 15 * SECOND_US, price, volume, "opening" if opens and index == 0 else None)
        for index, (price, volume) in enumerate(zip(prices, volumes, strict=True))
        if volume > 0
    ]


def bars_of(ticks: list[Tick]) -> list[Bar]:
    """Minute bars stamped by their end."""
    bars: dict[tuple[int, int], Bar] = {}
    for tick in ticks:
        minutes = tick.time_us // (60 * SECOND_US) + (0 if tick.auction == "closing" else 1)
        end = kst(minutes * 60 * SECOND_US)
        key = (end.year * 10_000 + end.month * 100 + end.day, end.hour * 100 + end.minute)
        old = bars.get(key)
        bars[key] = (
            Bar(*key, tick.price, tick.price, tick.price, tick.price, tick.volume)
            if old is None
            else Bar(
                *key,
                old.open,
                max(old.high, tick.price),
                min(old.low, tick.price),
                tick.price,
                old.volume + tick.volume,
            )
        )
    return [bars[key] for key in sorted(bars)]
