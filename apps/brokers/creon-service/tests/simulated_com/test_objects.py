"""The simulated COM follows the broker's behaviour line by line; each test names its line."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import pytest

import simulated_com as com
from simulated_com.errors import CLASS_NOT_REGISTERED, NOT_CONNECTED, SERVER_UNAVAILABLE, WRONG_THREAD
from terminals import ACCOUNT, DAY, GOODS, SAMSUNG, Notices, a_terminal, go_to, order, request, trade_init

# 수능: everything is an hour later. The first session of a year begins an hour later and ends as ever.
EXAM_DAY, FIRST_OF_YEAR = 20261119, 20260102
MOVING = {"quiet": False, "history_from": 20260102}


def test_progids_are_found_whatever_their_case_and_unknown_ones_raise() -> None:
    with a_terminal():
        assert com.Dispatch("cputil.CPCYBOS").IsConnect == 1
        with pytest.raises(com.com_error) as caught:
            com.Dispatch("CpUtil.Nothing")
        assert caught.value.hresult == CLASS_NOT_REGISTERED


def test_inputs_stay_between_requests() -> None:
    with a_terminal():
        asked = request("Dscbo1.StockMst", i0=SAMSUNG)
        assert asked.code == 0 and asked.GetHeaderValue(11) == 71_700
        assert asked.BlockRequest() == 0 and asked.GetHeaderValue(0) == SAMSUNG


def test_trade_requests_over_twenty_return_4_and_are_not_sent() -> None:
    with a_terminal() as terminal:
        trade_init()
        codes = [order(quantity=1, price=60_000).code for _ in range(22)]
        assert codes == [0] * 20 + [4, 4]
        assert len(terminal.exchange.orders) == 20
        cybos = com.Dispatch("CpUtil.CpCybos")
        assert cybos.GetLimitRemainCount(0) == 0 and 0 < cybos.LimitRequestRemainTime <= 15_000
        assert cybos.GetLimitRemainCount(1) == 60


def test_quote_requests_over_sixty_block_until_the_window_ends() -> None:
    with a_terminal(limit_window_us=300_000):
        started = time.monotonic()
        assert {request("Dscbo1.StockMst", i0=SAMSUNG).code for _ in range(61)} == {0}
        assert time.monotonic() - started >= 0.29


def test_subscriptions_end_at_four_hundred() -> None:
    with a_terminal():
        for _ in range(400):
            subscriber = com.Dispatch("Dscbo1.StockCur")
            subscriber.SetInputValue(0, SAMSUNG)
            subscriber.Subscribe()
        com.Dispatch("Dscbo1.CpConclusion").Subscribe()
        assert com.Dispatch("CpUtil.CpCybos").GetLimitRemainCount(2) == 0
        with pytest.raises(com.com_error):
            com.Dispatch("Dscbo1.StockCur").Subscribe()


def test_trade_objects_need_trade_init() -> None:
    with a_terminal() as terminal:
        refused = order()
        assert refused.code == 1 and refused.GetDibStatus() == -1 and "TradeInit" in refused.GetDibMsg1()
        assert not terminal.exchange.orders


def test_a_lost_session_is_told_and_drops_subscriptions_and_requests_return_1() -> None:
    told: list[str] = []

    class Watcher:
        def OnDisConnect(self) -> None:
            told.append("lost")

    with a_terminal() as terminal:
        trade_init()
        cybos = com.DispatchWithEvents("CpUtil.CpCybos", Watcher)
        notices = Notices()
        terminal.disconnect()
        com.PumpWaitingMessages()
        assert told == ["lost"] and cybos.IsConnect == 0
        assert request("Dscbo1.StockMst", i0=SAMSUNG).code == 1
        terminal.faults.set("raise-when-disconnected", 1)
        with pytest.raises(com.com_error) as caught:
            request("Dscbo1.StockMst", i0=SAMSUNG)
        assert caught.value.hresult == NOT_CONNECTED
        assert terminal.login()
        # A new run of the HTS: what was made before it is dead, and trading has to be made ready again.
        with pytest.raises(com.com_error) as dead:
            _ = cybos.IsConnect
        assert dead.value.hresult == SERVER_UNAVAILABLE
        assert order().code == 1
        trade_init()
        assert order().code == 0
        assert notices.pumped() == []


def test_values_have_their_true_types() -> None:
    with a_terminal():
        trade_init()
        shot = request("Dscbo1.StockMst", i0=SAMSUNG)
        assert shot.GetHeaderValue(58) == ord("2") and isinstance(shot.GetHeaderValue(11), int)
        assert shot.GetHeaderValue(8) == 93_200 and shot.GetHeaderValue(9) == 50_200
        assert order().GetHeaderValue(3) == SAMSUNG
        today = request("CpTrade.CpTd5341", i0=ACCOUNT, i1=GOODS, i3=0, i5=20)
        assert today.GetDataValue(35, 0) == "2" and today.GetDataValue(36, 0) == "1"
        assert isinstance(today.GetDataValue(1, 0), int)


def test_chart_data_is_indexed_by_position_newest_first_and_paged() -> None:
    with a_terminal(exchange=MOVING):
        chart = request(
            "CpSysDib.StockChart",
            i0=SAMSUNG,
            i1=ord("2"),
            i4=2_500,
            i5=[8, 5, 0, 1],
            i6=ord("m"),
            i7=1,
        )
        assert chart.GetHeaderValue(3) == 2_000 and chart.Continue == 1
        first = [chart.GetDataValue(k, 0) for k in range(4)]
        # Ascending: date, time, close, volume. The running minute at 10:00:00 ends at 10:01.
        assert first[:2] == [DAY, 1001]
        assert chart.GetDataValue(1, 1) == 1000
        assert chart.BlockRequest() == 0
        assert chart.GetHeaderValue(3) == 500 and chart.Continue == 0
        days = request("CpSysDib.StockChart", i0=SAMSUNG, i1=ord("2"), i4=3, i5=[5, 6, 37], i6=ord("D"))
        rows = [[days.GetDataValue(k, row) for k in range(3)] for row in range(3)]
        # The difference is to the close of the day before, and its sign goes with it.
        for (close, difference, sign), (before, *_) in itertools.pairwise(rows):
            assert difference == close - before != 0
            assert sign == ord("2" if difference > 0 else "5")


def test_continue_may_never_clear() -> None:
    with a_terminal(exchange=MOVING) as terminal:
        terminal.faults.set("continue-for-ever")
        chart = request("CpSysDib.StockChart", i0=SAMSUNG, i1=ord("2"), i4=5, i5=[0, 5], i6=ord("D"))
        pages = []
        for _ in range(4):
            assert chart.Continue == 1
            pages.append([chart.GetDataValue(0, row) for row in range(chart.GetHeaderValue(3))])
            chart.BlockRequest()
        assert pages[0] == pages[3]


@pytest.mark.parametrize(
    ("day", "first", "last", "close", "count"),
    [(DAY, 901, 1520, 1530, 381), (EXAM_DAY, 1001, 1620, 1630, 381), (FIRST_OF_YEAR, 1001, 1520, 1530, 321)],
)
def test_days_have_time_zero_and_minutes_are_stamped_by_their_end(
    day: int, first: int, last: int, close: int, count: int
) -> None:
    with a_terminal(day=day, hhmmss=170000, exchange={**MOVING, "history_from": min(day, 20260102)}):
        days = request("CpSysDib.StockChart", i0=SAMSUNG, i1=ord("2"), i4=1, i5=[0, 1], i6=ord("D"))
        assert (days.GetDataValue(0, 0), days.GetDataValue(1, 0)) == (day, 0)
        minutes = request("CpSysDib.StockChart", i0=SAMSUNG, i1=ord("1"), i2=day, i3=day, i5=[0, 1], i6=ord("m"), i7=1)
        times = [minutes.GetDataValue(1, row) for row in range(minutes.GetHeaderValue(3))]
        assert len(times) == count and times[:2] == [close, last] and times[-1] == first
        codes = com.Dispatch("CpUtil.CpCodeMgr")
        assert (codes.GetMarketStartTime(), codes.GetMarketEndTime()) == (first - 1, close)


def test_the_order_book_stands_in_quads() -> None:
    with a_terminal() as terminal:
        book = com.Dispatch("Dscbo1.StockJpBid")
        book.SetInputValue(0, SAMSUNG)
        book.Subscribe()
        terminal.exchange.print(SAMSUNG, 71_800, 10)
        com.PumpWaitingMessages()
        asked = request("Dscbo1.StockJpBid2", i0=SAMSUNG)
        quads = [[book.GetHeaderValue(at + k) for k in range(4)] for at in (3, 7, 11, 15, 19, 27, 31, 35, 39, 43)]
        rows = [[asked.GetDataValue(k, row) for k in range(4)] for row in range(10)]
        assert quads == rows and rows[0][:2] == [71_900, 71_800]


def test_auctions_tell_what_is_expected_and_not_trades() -> None:
    with a_terminal(hhmmss=84000) as terminal:
        ticks = com.Dispatch("Dscbo1.StockCur")
        ticks.SetInputValue(0, SAMSUNG)
        ticks.Subscribe()
        terminal.exchange.print(SAMSUNG, 71_800, 10)
        com.PumpWaitingMessages()
        assert (ticks.GetHeaderValue(13), ticks.GetHeaderValue(19)) == (71_800, 49)
        go_to(terminal, 90001)
        terminal.exchange.print(SAMSUNG, 71_900, 10)
        com.PumpWaitingMessages()
        assert (ticks.GetHeaderValue(13), ticks.GetHeaderValue(19)) == (71_900, 50)


def test_an_order_is_told_accepted_then_filled() -> None:
    with a_terminal() as terminal:
        trade_init()
        notices = Notices()
        number = order(quantity=10, price=71_700).GetHeaderValue(8)
        assert notices.pumped() == [("4", "1", number, 10, 71_700)]
        terminal.exchange.print(SAMSUNG, 71_700, 16)
        terminal.exchange.print(SAMSUNG, 71_600, 100)
        assert notices.pumped() == [("1", "1", number, 4, 71_700), ("1", "1", number, 6, 71_700)]


def test_changes_get_their_own_numbers_and_zero_means_all_that_is_left() -> None:
    with a_terminal():
        trade_init()
        notices = Notices()
        first = order(quantity=10, price=70_000).GetHeaderValue(8)
        moved = request("CpTrade.CpTd0313", i1=first, i2=ACCOUNT, i3=GOODS, i4=SAMSUNG, i5=4, i6=70_500).GetHeaderValue(
            7
        )
        assert moved > first
        cancelled = request("CpTrade.CpTd0314", i1=first, i2=ACCOUNT, i3=GOODS, i4=SAMSUNG, i5=0).GetHeaderValue(6)
        assert [(flag, kind, number, quantity) for flag, kind, number, quantity, _ in notices.pumped()] == [
            ("4", "1", first, 10),
            ("4", "2", moved, 4),
            ("2", "2", moved, 4),
            ("4", "3", cancelled, 6),
            ("2", "3", cancelled, 6),
        ]
        open_orders = request("CpTrade.CpTd5339", i0=ACCOUNT, i1=GOODS)
        assert open_orders.GetHeaderValue(5) == 1
        assert (open_orders.GetDataValue(1, 0), open_orders.GetDataValue(11, 0)) == (moved, 4)


def test_cancelling_what_is_filled_is_rejected_by_a_notice() -> None:
    with a_terminal():
        trade_init()
        notices = Notices()
        filled = order(quantity=1, price=72_000).GetHeaderValue(8)
        again = request("CpTrade.CpTd0314", i1=filled, i2=ACCOUNT, i3=GOODS, i4=SAMSUNG, i5=1)
        assert again.code == 0
        assert notices.pumped()[-1][:3] == ("3", "3", again.GetHeaderValue(6))


def test_the_rest_of_an_ioc_order_is_confirmed_as_cancelled() -> None:
    with a_terminal() as terminal:
        trade_init()
        notices = Notices()
        available = terminal.exchange.market_now(SAMSUNG).book("buy")[0][1]
        number = order(quantity=available + 5, price=71_800, condition="1").GetHeaderValue(8)
        told = notices.pumped()
        assert told[1:] == [("1", "1", number, available, 71_800), ("2", "3", number, 5, 0)]


def test_events_wait_for_the_pump_and_other_threads_are_refused() -> None:
    with a_terminal():
        trade_init()
        notices = Notices()
        order()
        assert notices.heard == []
        com.PumpWaitingMessages()
        assert len(notices.heard) == 1
        failures: list[int] = []
        cybos = com.Dispatch("CpUtil.CpCybos")

        def elsewhere() -> None:
            com.CoInitialize()
            try:
                _ = cybos.IsConnect
            except com.com_error as error:
                failures.append(error.hresult)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert failures == [WRONG_THREAD]


def test_a_fill_may_be_told_before_the_order_returns() -> None:
    with a_terminal() as terminal:
        trade_init()
        notices = Notices()
        terminal.faults.set("notices-before-reply", 1)
        number = order(quantity=1, price=72_000).GetHeaderValue(8)
        assert [notice[:3] for notice in notices.heard] == [("4", "1", number), ("1", "1", number)]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"price": 71_710}, "호가단위"),
        ({"price": 93_300}, "상하한가"),
        ({"quantity": 100_000}, "주문가능금액"),
        ({"side": "1"}, "매도가능수량"),
        ({"quantity": 0}, "주문수량"),
        ({"kind": "99"}, "호가유형"),
    ],
)
def test_orders_are_checked_as_the_broker_checks_them(inputs: dict[str, Any], words: str) -> None:
    with a_terminal() as terminal:
        trade_init()
        refused = order(**inputs)
        assert refused.code == 0 and refused.GetDibStatus() == -1 and words in refused.GetDibMsg1()
        assert not terminal.exchange.orders


def test_a_market_order_needs_the_cash_of_the_upper_limit() -> None:
    with a_terminal(exchange={"cash": 900_000}):
        trade_init()
        # Ten shares cost 718,000 at the ask and 932,000 at the limit.
        assert "주문가능금액" in order(quantity=10, price=0, kind="03").GetDibMsg1()
        assert order(quantity=9, price=0, kind="03").GetDibStatus() == 0


@pytest.mark.parametrize(
    ("day", "hhmmss", "taken"),
    [
        *((DAY, hhmmss, taken) for hhmmss, taken in ((82900, False), (83000, True), (152500, True), (153000, False))),
        *(
            (EXAM_DAY, hhmmss, taken)
            for hhmmss, taken in ((92900, False), (93000, True), (162500, True), (163000, False))
        ),
        *((FIRST_OF_YEAR, hhmmss, taken) for hhmmss, taken in ((92900, False), (152500, True), (153000, False))),
        (20260717, 100000, False),
    ],
)
def test_orders_keep_the_hours(day: int, hhmmss: int, taken: bool) -> None:
    with a_terminal(hhmmss=hhmmss, day=day):
        trade_init()
        assert (order(price=70_000).GetDibStatus() == 0) is taken


def test_the_balance_counts_cash_on_the_second_day_and_floors_amounts() -> None:
    with a_terminal(exchange={"cash": 1_000_000}):
        trade_init()
        order(quantity=3, price=71_800)
        balance = request("CpTrade.CpTd6033", i0=ACCOUNT, i1=GOODS, i2=50)
        assert balance.GetHeaderValue(9) == 1_000_000 - 3 * 71_800 - 32
        assert balance.GetHeaderValue(7) == 1
        assert (balance.GetDataValue(12, 0), balance.GetDataValue(7, 0), balance.GetDataValue(15, 0)) == (SAMSUNG, 3, 3)
        assert balance.GetDataValue(9, 0) % 1000 == 0
        power = request("CpTrade.CpTdNew5331A", i0=ACCOUNT, i1=GOODS, i2=SAMSUNG, i3="01", i4=71_700, i6=ord("1"))
        assert power.GetHeaderValue(45) == 1_000_000


def test_the_session_ends_at_night_and_needs_a_login_in_the_morning() -> None:
    with a_terminal(hhmmss=170000, nightly_from=50000, nightly_until=73000) as terminal:
        go_to(terminal, 50001, 20260423)
        assert com.Dispatch("CpUtil.CpCybos").IsConnect == 0
        assert not terminal.login()
        go_to(terminal, 73000, 20260423)
        assert terminal.login() and com.Dispatch("CpUtil.CpCybos").IsConnect == 1


def test_what_was_accepted_survives_a_kill(tmp_path: Any) -> None:
    with a_terminal(store=tmp_path / "venue.sqlite"):
        trade_init()
        number = order(quantity=10, price=70_000).GetHeaderValue(8)
        order(quantity=2, price=71_800)
    with a_terminal(store=tmp_path / "venue.sqlite") as terminal:
        trade_init()
        notices = Notices()
        assert terminal.exchange.ledger.holding(SAMSUNG).quantity == 2
        terminal.exchange.print(SAMSUNG, 69_900, 100)
        assert notices.pumped() == [("1", "1", number, 10, 70_000)]
        assert order(price=69_000).GetHeaderValue(8) > number
