"""Creon's bars to ours: minutes are stamped by their end, days by their date, the running bar is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

KST = timezone(timedelta(hours=9))
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
# The last instant of an interval is a millisecond before the next one.
LAST_US = 1_000
DAY_SETTLES_US = 3 * MINUTE_US
# Intervals that divide a session of 390 minutes; Creon makes them itself.
MINUTES = {"1m": 1, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30}
TIMEFRAMES = (*MINUTES, "1D")
# Until 2016-07-29 the regular session ended at 15:00.
LATER_CLOSE_SINCE = 20160801
BARS_A_DAY = 381


@dataclass(frozen=True)
class ChartRow:
    date: int
    # HHMM of the end; 0 for a day.
    time: int
    open: int
    high: int
    low: int
    close: int
    volume: int


@dataclass(frozen=True)
class Candle:
    open_time_us: int
    close_time_us: int
    row: ChartRow


def kst_us(date: int, hhmm: int) -> int:
    moment = datetime(date // 10_000, date // 100 % 100, date % 100, hhmm // 100, hhmm % 100, tzinfo=KST)
    return int(moment.timestamp()) * 1_000_000


def date_of(us: int) -> int:
    moment = datetime.fromtimestamp(us / 1_000_000, tz=KST)
    return moment.year * 10_000 + moment.month * 100 + moment.day


def to_candle(row: ChartRow, timeframe: str, closes_at: int | None = None) -> Candle:
    """`closes_at` is today's HHMM where the broker says that the session ends at another time."""
    if timeframe == "1D":
        close = closes_at or (1530 if row.date >= LATER_CLOSE_SINCE else 1500)
        return Candle(kst_us(row.date, 900), kst_us(row.date, close) - LAST_US, row)
    end = kst_us(row.date, row.time)
    return Candle(end - MINUTES[timeframe] * MINUTE_US, end - LAST_US, row)


def is_final(candle: Candle, now_us: int) -> bool:
    # The closing auction may be drawn out: two minutes by a volatility interruption, and up to half a minute by chance.
    settles = DAY_SETTLES_US if candle.row.time == 0 else 0
    return now_us > candle.close_time_us + settles


def rows_needed(timeframe: str, from_us: int, now_us: int) -> int:
    """An upper bound of the bars from there to now: count mode has no other way to reach back."""
    days = max(0, (now_us - from_us) // DAY_US) + 2
    return days if timeframe == "1D" else days * (BARS_A_DAY // MINUTES[timeframe] + 2)


def pages_on(seen: Sequence[ChartRow], page: Sequence[ChartRow]) -> bool:
    """Whether a page goes on before what was seen. At the end of history, Continue may stay 1 and the page repeat."""
    if not page:
        return False
    if not seen:
        return True
    oldest, newest = seen[-1], page[0]
    return (newest.date, newest.time) < (oldest.date, oldest.time)
