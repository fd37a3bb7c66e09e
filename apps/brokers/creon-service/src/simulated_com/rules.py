"""KRX rules as this venue keeps them: ticks, daily limits, sell tax. Dated; its own code on purpose."""

from __future__ import annotations

# Upper bounds (exclusive) and ticks. Since 2023-01-25 all markets share one table; before, KOSDAQ ended at 100 won.
_TICKS_2023 = ((2_000, 1), (5_000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))
_TICKS_BEFORE = ((1_000, 1), (5_000, 5), (10_000, 10), (50_000, 50), (100_000, 100), (500_000, 500))
_TICKS_CHANGED = 20230125

# Sell tax in 1/100 of a percent of the proceeds (KOSPI: securities transaction tax and the farm tax together), by the
# day of the trade. The law counts the day of settlement: what begins with a year begins two sessions before it.
_SELL_TAX = (
    (20251229, 20),
    (20241227, 15),
    (20231227, 18),
    (20221228, 20),
    (20201229, 23),
    (20190530, 25),
    (0, 30),
)


def tick_size(price: int, date: int, market: str, kind: str = "stock") -> int:
    if kind == "etf":
        return 1 if price < 2_000 and date >= 20231211 else 5
    if date >= _TICKS_CHANGED:
        table, last = _TICKS_2023, 1_000
    else:
        table, last = _TICKS_BEFORE, 1_000
        if market == "KOSDAQ" and price >= 50_000:
            return 100
    for bound, tick in table:
        if price < bound:
            return tick
    return last


def round_to_tick(price: float, date: int, market: str, kind: str = "stock") -> int:
    tick = tick_size(int(price), date, market, kind)
    return max(tick, int(price / tick + 0.5) * tick)


def daily_limits(base: int, date: int, market: str, kind: str = "stock") -> tuple[int, int]:
    """(upper, lower): 30 % of the base price, the width cut to the base's tick, both rounded inward."""
    width = base * 3 // 10
    width -= width % tick_size(base, date, market, kind)
    upper, lower = base + width, base - width
    upper -= upper % tick_size(upper, date, market, kind)
    low_tick = tick_size(lower, date, market, kind)
    lower = -(-lower // low_tick) * low_tick
    return upper, max(lower, low_tick)


def sell_tax(proceeds: int, date: int, market: str, kind: str = "stock") -> int:
    """Whole won, each tax floored. KONEX has kept 0.10 %; funds that trade like shares pay none."""
    if kind == "etf":
        return 0
    if market == "KONEX":
        return proceeds * 10 // 10_000
    rate = next(rate for since, rate in _SELL_TAX if date >= since)
    farm = 15 if market == "KOSPI" else 0
    return proceeds * (rate - farm) // 10_000 + proceeds * farm // 10_000


def commission(amount: int, rate_ppm: int) -> int:
    """Whole won, floored; 150 ppm is the 0.015 % of an online order."""
    return amount * rate_ppm // 1_000_000
