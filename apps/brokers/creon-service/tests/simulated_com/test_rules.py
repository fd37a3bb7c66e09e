"""Money of the simulated venue: rules by date, and books that add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulated_com.bars import BarSource, Listing
from simulated_com.calendar import trading_day_after
from simulated_com.ledger import Ledger
from simulated_com.market import bars_of, ticks_of
from simulated_com.rules import commission, daily_limits, sell_tax, tick_size

DATES = st.sampled_from([20180502, 20210104, 20221230, 20230126, 20241230, 20260422])
MARKETS = st.sampled_from(["KOSPI", "KOSDAQ"])


def test_ticks_and_limits_are_those_of_the_day() -> None:
    assert [
        tick_size(price, 20260422, "KOSPI") for price in (1_999, 2_000, 19_999, 20_000, 199_999, 200_000, 500_000)
    ] == [
        1,
        5,
        10,
        50,
        100,
        500,
        1_000,
    ]
    assert [
        tick_size(price, 20230124, market)
        for price, market in ((15_000, "KOSPI"), (150_000, "KOSPI"), (150_000, "KOSDAQ"))
    ] == [50, 500, 100]
    assert daily_limits(71_700, 20260422, "KOSPI") == (93_200, 50_200)
    assert [
        sell_tax(1_000_000, date, "KOSPI")
        for date in (20180502, 20200102, 20220103, 20230102, 20240102, 20250102, 20260102)
    ] == [
        3_000,
        2_500,
        2_300,
        2_000,
        1_800,
        1_500,
        2_000,
    ]


@given(st.integers(100, 2_000_000), DATES, MARKETS)
def test_limits_lie_on_ticks_within_thirty_percent(base: int, date: int, market: str) -> None:
    base -= base % tick_size(base, date, market)
    upper, lower = daily_limits(base, date, market)
    assert lower <= base <= upper
    assert (upper - base) * 10 <= base * 3 and (base - lower) * 10 <= base * 3
    assert upper % tick_size(upper, date, market) == 0 and lower % tick_size(lower, date, market) == 0


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(1_000, 90_000), st.booleans()), max_size=30))
def test_cash_and_shares_add_up(trades: list[tuple[int, int, bool]]) -> None:
    ledger = Ledger(150, {0: 10**9})
    expected, held = 10**9, 0
    for quantity, price, sells in trades:
        amount = quantity * price
        if sells and held >= quantity:
            ledger.book("sell", "A", quantity, price, 20260422, "KOSPI", "stock")
            expected += amount - commission(amount, 150) - sell_tax(amount, 20260422, "KOSPI")
            held -= quantity
        else:
            ledger.book("buy", "A", quantity, price, 20260422, "KOSPI", "stock")
            expected -= amount + commission(amount, 150)
            held += quantity
    assert ledger.cash_in_the_end() == expected and ledger.holding("A").quantity == held
    assert (ledger.holding("A").cost == 0) is (held == 0)
    # Nothing of it is settled before the second trading day.
    assert ledger.cash_by(20260423) == 10**9
    assert ledger.cash_by(trading_day_after(20260422, 2)) == expected


@given(st.integers(1, 10_000), st.sampled_from([1_050, 36_500, 71_700, 512_000]), st.sampled_from([20260422, 20261119]))
def test_made_up_minutes_make_their_day_and_ticks_their_minutes(seed: int, base: int, date: int) -> None:
    source = BarSource(Listing("A000001", "가", base=base), seed, 20260401, [])
    day = source.days(date)[-1]
    minutes = source.minutes(date)
    assert (minutes[0].open, minutes[-1].close) == (day.open, day.close)
    assert max(bar.high for bar in minutes) == day.high and min(bar.low for bar in minutes) == day.low
    assert sum(bar.volume for bar in minutes) == day.volume
    made = bars_of([tick for bar in minutes for tick in ticks_of(bar)])
    assert made == minutes
    upper, lower = daily_limits(source.close_before(date), date, "KOSPI")
    assert lower <= day.low <= day.high <= upper
