"""Bars of the past, for whoever goes through years of minutes page by page.

Creon counts bars back from today, so each page would have all of them read. What took many requests is kept for a
while and answers the pages that follow; and one such chart is read at a time: two would use up each other's room until
neither was whole in the time that its asker waits.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from adapters.errors import NoRoomError
from creon_client import CreonClient
from domain.candles import ChartRow, date_of, rows_needed
from domain.words import Priority

# Rows that Creon has in one answer, at least.
PAGE_ROWS = 2000
# A chart of two years of minutes has some 185,000 rows.
CHARTS_KEPT = 2
KEPT_US = 600_000_000
# Waited for another's turn to end: what is left of its asker's patience is for reading.
BEHIND_US = 15_000_000


@dataclass(frozen=True)
class Chart:
    # Oldest first.
    rows: Sequence[ChartRow]
    from_us: int
    read_us: int

    def since(self, date: int) -> Iterator[ChartRow]:
        return islice(self.rows, bisect_left(self.rows, date, key=lambda row: row.date), None)


class Past:
    def __init__(self, client: CreonClient, now_us: Callable[[], int]) -> None:
        self._client, self._now_us = client, now_us
        self._kept: OrderedDict[tuple[str, str, bool], Chart] = OrderedDict()
        self._reading = asyncio.Lock()

    def kept(self, code: str, timeframe: str, adjusted: bool, from_us: int) -> Chart | None:
        """Of today and not long ago; it says nothing about what came after it was read."""
        chart = self._kept.get((code, timeframe, adjusted))
        now = self._now_us()
        if chart is None or chart.from_us > from_us:
            return None
        is_fresh = 0 <= now - chart.read_us < KEPT_US and date_of(now) == date_of(chart.read_us)
        return chart if is_fresh else None

    async def read(self, code: str, timeframe: str, adjusted: bool, from_us: int) -> Chart:
        now = self._now_us()
        if rows_needed(timeframe, from_us, now) <= PAGE_ROWS:
            return await self._ask(code, timeframe, adjusted, from_us)
        try:
            await asyncio.wait_for(self._reading.acquire(), BEHIND_US / 1_000_000)
        except asyncio.TimeoutError:
            raise NoRoomError("quote", f"the chart of {code}, behind another long one,", BEHIND_US) from None
        try:
            meanwhile = self.kept(code, timeframe, adjusted, from_us)
            if meanwhile is not None and meanwhile.read_us > now:
                return meanwhile
            return await self._ask(code, timeframe, adjusted, from_us)
        finally:
            self._reading.release()

    async def _ask(self, code: str, timeframe: str, adjusted: bool, from_us: int) -> Chart:
        now = self._now_us()
        rows = await self._client.chart(code, timeframe, from_us, now, adjusted, Priority.HISTORY)
        chart = Chart(rows[::-1], from_us, now)
        if len(rows) > PAGE_ROWS:
            key = (code, timeframe, adjusted)
            self._kept[key] = chart
            self._kept.move_to_end(key)
            while len(self._kept) > CHARTS_KEPT:
                self._kept.popitem(last=False)
        return chart
