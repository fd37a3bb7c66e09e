"""A question without room in the budget within what its asker waits is refused at once, and says when there is some."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from adapters.com import load_com
from adapters.errors import NoRoomError
from adapters.sta_thread import Job, StaThread
from creon_client import CreonClient, Waits
from domain.candles import DAY_US, ChartRow
from domain.words import Priority
from past import Past
from rate_limiter import QUOTE_LIMIT, RateLimiter


class Desk:
    """Its COM objects answer nothing: who has no room must not come so far."""

    def __init__(self) -> None:
        page: tuple[list[Any], bool] = ([], False)
        self.com_error = OSError
        self.market = SimpleNamespace(quotes=lambda _codes: [], chart=lambda *_: lambda: page)


class NoQueue(StaThread):
    """Nobody may wait in it for room: that would end in the same words, later."""

    may_queue = False

    def submit(self, name: str, work: Any, priority: Priority, budget: Any, wait_us: int) -> Job[Any]:
        if budget is not None and not self.may_queue:
            pytest.fail(f"{name} waits for room")
        return super().submit(name, work, priority, budget, wait_us)


def client_at(now: list[int], **waits: int) -> tuple[CreonClient, RateLimiter, NoQueue]:
    limiter = RateLimiter(QUOTE_LIMIT, lambda: now[0])
    sta = NoQueue(load_com("simulated"), {"quote": limiter}, lambda: now[0])
    return CreonClient(sta, cast(Any, Desk()), {"quote": limiter}, Waits(**waits)), limiter, sta


def test_it_is_refused_at_once_and_what_matters_more_still_has_room() -> None:
    now = [0]
    client, limiter, _ = client_at(now, answer_us=11_000_000)
    while limiter.try_take(Priority.QUOTES):
        pass
    now[0] = 3_000_000
    with pytest.raises(NoRoomError, match=r"^the quote budget has no room for MarketEye for another 12 s$") as refused:
        asyncio.run(client.quotes(["A005930"]))
    assert refused.value.retry_after_us == 12_000_000
    assert limiter.wait_us(Priority.CANCEL) == 0


def test_a_chart_waits_for_room_no_longer_than_its_asker_however_many_pages_it_has() -> None:
    now = [0]
    client, limiter, sta = client_at(now, chart_us=11_000_000)
    sta.start()
    try:
        while limiter.try_take(Priority.HISTORY):
            pass
        with pytest.raises(NoRoomError, match=r"no room for StockChart for another 15 s"):
            asyncio.run(client.chart("A005930", "1m", 0, 1, False, Priority.HISTORY))
        now[0], sta.may_queue = 15_000_000, True
        assert asyncio.run(client.chart("A005930", "1m", 0, 1, False, Priority.HISTORY)) == []
    finally:
        sta.stop()


def test_of_two_long_charts_one_is_read_after_the_other() -> None:
    """At the same time each would use up the other's room, and neither would be whole in time."""
    asked: list[str] = []
    go_on = asyncio.Event()

    async def chart(code: str, *_: object) -> list[ChartRow]:
        asked.append(code)
        await go_on.wait()
        return []

    async def both() -> None:
        past = Past(cast(Any, SimpleNamespace(chart=chart)), lambda: 100 * DAY_US)
        first, second = (
            asyncio.create_task(past.read(code, "1m", False, 50 * DAY_US)) for code in ("A005930", "A000660")
        )
        short = asyncio.create_task(past.read("A035420", "1D", False, 99 * DAY_US))
        await asyncio.sleep(0.05)
        assert sorted(asked) == ["A005930", "A035420"]
        go_on.set()
        await asyncio.gather(first, second, short)
        assert asked[2:] == ["A000660"]

    asyncio.run(both())
