"""Bars of the past, page by page, as a collector goes through them."""

from __future__ import annotations

from domain.candles import date_of
from simulated_com.bars import Listing
from simulated_com.calendar import trading_days
from simulated_com.clock import at
from terminals import DAY, SAMSUNG
from worlds import Json, World, scenario

FIRST = 20260302


async def page(world: World, from_us: int, limit: int = 1000) -> list[Json]:
    body = {"symbol": SAMSUNG[1:], "timeframe": "1m", "fromUs": from_us, "limit": limit}
    response = await world.call("POST", "/api/v1/market-data/candles", body)
    assert response.status_code == 200, response.text
    data: list[Json] = response.json()["data"]
    return data


@scenario(exchange={"quiet": False, "history_from": FIRST}, hhmmss=153500)
async def test_months_of_minutes_are_read_once_and_told_page_by_page(world: World) -> None:
    before = len(world.terminal.calls)
    bars: list[Json] = []
    from_us = at(FIRST, 0)
    while True:
        found = await page(world, from_us)
        bars += found
        if len(found) < 1000:
            break
        from_us = found[-1]["openTimeUs"] + 1
    opens = [bar["openTimeUs"] for bar in bars]
    assert opens == sorted(set(opens))
    assert len(bars) == len(trading_days(FIRST, DAY)) * 381
    # The first page has all of them read, 2,000 at a time; the last ones are asked for anew.
    pages = -(-len(bars) // 2000)
    charts = world.terminal.calls[before:].count("CpSysDib.StockChart")
    assert len(bars) > 5 * 2000 and charts <= pages + 3


@scenario(exchange={"quiet": False, "history_from": FIRST}, hhmmss=150000)
async def test_what_came_after_a_long_chart_was_read_is_told_all_the_same(world: World) -> None:
    assert len(await page(world, at(FIRST, 0))) == 1000
    since = at(DAY, 145500)
    told = await page(world, since)
    world.move_to(150301)
    later = await page(world, since)
    assert later[: len(told)] == told and len(later) == len(told) + 3
    newest = await world.call(
        "POST", "/api/v1/market-data/candles", {"symbol": "005930", "timeframe": "1m", "limit": 2}
    )
    assert newest.json()["data"] == later[-2:]


@scenario(
    exchange={
        "quiet": False,
        "history_from": 20260413,
        "listings": (Listing(SAMSUNG, "삼성전자", base=71_700, splits=((20260420, 5),)),),
    },
    hhmmss=153500,
)
async def test_bars_before_a_split_are_told_raw_and_adjusted(world: World) -> None:
    async def days(adjusted: bool) -> dict[int, tuple[int, int]]:
        body = {"symbol": "005930", "timeframe": "1D", "adjusted": adjusted}
        found = (await world.call("POST", "/api/v1/market-data/candles", body)).json()["data"]
        return {date_of(bar["openTimeUs"]): (int(bar["close"]), int(bar["volume"])) for bar in found}

    raw, adjusted = await days(False), await days(True)
    assert list(raw) == list(adjusted) == trading_days(20260413, DAY)
    for date, (close, volume) in adjusted.items():
        assert raw[date] == ((close * 5, volume // 5) if date < 20260420 else (close, volume))
