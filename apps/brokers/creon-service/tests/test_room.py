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
from domain.words import Priority
from rate_limiter import QUOTE_LIMIT, RateLimiter


class Desk:
    """Its COM objects answer nothing: who has no room must not come so far."""

    def __init__(self) -> None:
        page: tuple[list[Any], bool] = ([], False)
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
