"""Bad days: nothing is sent twice, nothing is lost, and a person is told."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest

from adapters.errors import CreonError, UnavailableError
from creon_client import Waits
from simulated_com.limits import QUOTE
from simulated_com.terminal import Terminal
from terminals import SAMSUNG
from trading import Timings
from worlds import ACCOUNT, KRX_SAMSUNG, World, scenario, until, until_async


async def is_status(world: World, client_order_id: str, status: str) -> bool:
    answer = await world.query(client_order_id)
    return answer.status_code == 200 and answer.json()["data"]["status"] == status


@scenario()
async def test_a_reply_that_is_lost_is_unknown_and_the_order_is_found_by_the_list(world: World) -> None:
    world.terminal.faults.set("lost-after-accept", 1)
    order = world.order("lost")
    first = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert first["kind"] == "unknown"
    assert (await world.query("lost")).json()["data"]["status"] == "accepted"
    again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert (again["kind"], again["repeated"]) == ("accepted", True)
    world.print(69_900, 100)
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    assert (await world.fills())[0]["clientOrderId"] == "lost"
    assert len(world.venue_orders()) == 1


@scenario()
async def test_a_request_that_never_arrived_is_not_found_and_not_sent_again(world: World) -> None:
    world.terminal.faults.set("lost-before-accept", 1)
    order = world.order("never")
    assert (await world.call("POST", "/api/v1/orders", order)).json()["data"]["kind"] == "unknown"
    assert (await world.place("next"))["code"] == "ORDER_IN_FLIGHT"
    assert (await world.place("other side", clientOrderId="other-side", side="sell"))["kind"] == "rejected"
    assert (await world.health())["accounts"][0]["ordersUnknown"] == 1

    async def may_go_on() -> bool:
        assert (await world.query("never")).json()["code"] == "ORDER_NOT_FOUND"
        return bool((await world.health())["accounts"][0]["ordersUnknown"] == 0)

    await until_async(may_go_on)
    again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert (again["kind"], again["repeated"]) == ("unknown", True)
    assert (await world.place("after"))["kind"] == "accepted"
    assert len(world.venue_orders()) == 1


@scenario()
async def test_an_order_of_a_person_beside_a_lost_one_is_ambiguous(world: World) -> None:
    """Both are in the first list that is asked after the call."""
    terminal: Terminal = world.terminal
    terminal.faults.set("lost-after-accept", 1)
    place = terminal.exchange.place

    def both(*args: object, **kwargs: object) -> object:
        order = place(*args, **kwargs)  # type: ignore[arg-type]
        place(SAMSUNG, "buy", 10, 70_000, media="02")
        return order

    terminal.exchange.place = both  # type: ignore[assignment]
    await world.place("mine")
    terminal.exchange.place = place  # type: ignore[method-assign]
    answer = await world.query("mine")
    assert (answer.status_code, answer.json()["code"]) == (409, "ORDER_AMBIGUOUS")
    assert (await world.place("next"))["code"] == "ORDER_IN_FLIGHT"
    assert "ORDER_AMBIGUOUS" in [reason["code"] for reason in (await world.health())["reasons"]]
    # Neither is taken for somebody else's: it could be ours.
    assert await world.get(f"/api/v1/orders?account={ACCOUNT}&status=open") == []
    assert len(world.venue_orders()) == 2


@scenario()
async def test_return_code_4_is_not_sent_for_ever(world: World) -> None:
    world.terminal.faults.set("return-4", 1, match="cptd0311")
    order = world.order("limited")
    for repeated in (False, True):
        answer = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
        assert (answer["kind"], answer["code"], answer["repeated"]) == ("not_sent", "RATE_BUDGET", repeated)
    assert not world.venue_orders()
    assert (await world.place("next"))["kind"] == "accepted"


@scenario(
    window_us=60_000_000,
    waits=Waits(answer_us=1_000_000),
    timings=Timings(reply_us=20_000_000, confirm_us=300_000),
)
async def test_our_own_budget_ends_before_the_broker_s_and_cancels_still_pass(world: World) -> None:
    kinds = []
    for n in range(20):
        order = world.order(f"many-{n}", quantity="1", limitPrice=str(60_000 + 100 * n))
        order["sendBeforeUs"] = order["intentTimeUs"] + 500_000
        kinds.append((await world.call("POST", "/api/v1/orders", order)).json()["data"]["kind"])
    sent = kinds.count("accepted")
    assert 0 < sent <= 16 and kinds[-1] == "not_sent"
    assert len(world.venue_orders()) == sent
    assert (await world.cancel("many-0"))["kind"] in ("cancelled", "unknown")
    assert len(world.venue_orders("3")) == 1
    trade = next(limit for limit in (await world.health())["limits"] if limit["name"] == "trade")
    assert trade["remaining"] < 5 and trade["resetsAtUs"] > 0


@scenario(rare_looks=True)
async def test_a_fill_before_the_order_s_reply_waits_for_its_number(world: World) -> None:
    world.terminal.faults.set("notices-before-reply", 1, match="cptd0311")
    placed = await world.place("early", limitPrice="71800")
    assert placed["kind"] == "accepted"
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    orders = [m["order"]["clientOrderId"] for m in world.heard if m["type"] == "order"]
    assert set(orders) == {"early"} and len(await world.fills()) == 1
    # Told as soon as the number was known, not only by the list.
    assert len(world.fills_heard(provisional=True)) == 1


@scenario(rare_looks=True)
async def test_a_notice_that_comes_twice_is_one_fill(world: World) -> None:
    await world.place("twice", limitPrice="71700")
    world.terminal.faults.set("duplicate-notice")
    world.print(71_700, 16)
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    assert len(world.fills_heard(provisional=True)) == 1
    assert max(int(m["order"]["cumulativeQuantity"]) for m in world.heard if m["type"] == "order") == 4
    world.print(71_700, 16)
    await until(lambda: len(world.fills_heard(provisional=False)) == 2)
    assert [fill["quantity"] for fill in await world.fills()] == ["4", "4"]
    assert [fill["quantity"] for fill in world.fills_heard(provisional=True)] == ["4", "4"]
    assert (await world.query("twice")).json()["data"]["cumulativeQuantity"] == "8"


@scenario()
async def test_a_notice_that_comes_after_the_list_is_no_second_fill(world: World) -> None:
    await world.place("late", limitPrice="71700")
    world.terminal.faults.set("late-notices", 1)
    world.print(71_700, 16)
    assert [fill["quantity"] for fill in await world.fills()] == ["4"]
    world.terminal.release_notices()
    world.print(71_700, 4)
    await until(lambda: len(world.fills_heard(provisional=False)) == 2)
    assert (await world.query("late")).json()["data"]["cumulativeQuantity"] == "5"
    assert max(int(m["order"]["cumulativeQuantity"]) for m in world.heard if m["type"] == "order") == 5


@scenario()
async def test_a_notice_that_is_lost_is_found_by_the_list(world: World) -> None:
    await world.place("silent", limitPrice="71700")
    world.terminal.faults.set("drop-notice")
    world.print(71_600, 100)
    fills = await world.fills()
    assert [fill["quantity"] for fill in fills] == ["10"]
    assert world.fills_heard(provisional=True) == []


@scenario(impatient=True)
async def test_a_confirmation_window_makes_the_order_unknown_and_blocks_no_answer(world: World) -> None:
    world.terminal.faults.set("popup", 1)
    order = world.order("window")
    assert (await world.call("POST", "/api/v1/orders", order)).json()["data"]["kind"] == "unknown"
    await until(lambda: world.service.session.state == "blocked")
    health = await world.health()
    assert (health["status"], health["session"]["state"], health["breaker"]["state"]) == ("down", "blocked", "open")
    assert "confirmation window" in health["reasons"][0]["message"]
    assert (await world.client.get("/health")).status_code == 503

    started = time.monotonic()
    assert (await world.place("next"))["code"] == "ORDER_IN_FLIGHT"
    other = await world.place("other", side="sell")
    assert (other["kind"], other["code"]) == ("not_sent", "BROKER_UNAVAILABLE")
    quote = await world.call("GET", f"/api/v1/market-data/quotes?instrument={KRX_SAMSUNG}")
    assert quote.json()["code"] in ("BROKER_UNAVAILABLE", "VENUE_TIMEOUT")
    assert time.monotonic() - started < 15

    world.terminal.faults.popup_answer = "ok"
    world.terminal.faults.released.set()
    await until(lambda: world.service.session.state == "connected")
    assert (await world.query("window")).json()["data"]["status"] == "accepted"
    again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert (again["kind"], again["repeated"]) == ("accepted", True)
    assert len(world.venue_orders()) == 1


@scenario(impatient=True)
async def test_a_window_that_a_person_cancels_is_a_rejection(world: World) -> None:
    world.terminal.faults.set("popup", 1)
    order = world.order("cancelled")
    assert (await world.call("POST", "/api/v1/orders", order)).json()["data"]["kind"] == "unknown"
    world.terminal.faults.popup_answer = "cancel"
    world.terminal.faults.released.set()

    async def rejected() -> bool:
        again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
        return bool(again["kind"] == "rejected")

    await until_async(rejected)
    assert not world.venue_orders()


@scenario(impatient=True)
async def test_a_slow_call_is_unknown_and_its_late_reply_still_counts(world: World) -> None:
    world.terminal.faults.set("hang", 1, match="cptd0311.blockrequest")
    order = world.order("slow")
    assert (await world.call("POST", "/api/v1/orders", order)).json()["data"]["kind"] == "unknown"
    world.terminal.faults.released.set()

    async def accepted() -> bool:
        again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
        return bool(again["kind"] == "accepted")

    await until_async(accepted)
    assert len(world.venue_orders()) == 1


@scenario()
async def test_garbage_is_unreadable_and_an_order_with_it_unknown_until_the_list_is_read(world: World) -> None:
    world.terminal.faults.set("garbage", match="marketeye")
    quote = await world.call("GET", f"/api/v1/market-data/quotes?instrument={KRX_SAMSUNG}")
    assert (quote.status_code, quote.json()["code"]) == (502, "VENUE_ANSWER_UNREADABLE")
    world.terminal.faults.clear("garbage")
    world.terminal.faults.set("garbage", 1, match="cptd0311")
    assert (await world.place("garbled"))["kind"] == "unknown"
    world.terminal.faults.clear()
    assert await is_status(world, "garbled", "accepted")
    world.terminal.faults.set("garbage", 1, match="cpconclusion")
    world.print(69_900, 100)
    await until(lambda: any(m["type"] == "gap" and m["reason"] == "UNREADABLE" for m in world.heard))
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    assert len(world.venue_orders()) == 1


@scenario()
async def test_a_lost_session_is_opened_again_without_a_second_send(world: World) -> None:
    order = world.order("through", limitPrice="71700")
    await world.call("POST", "/api/v1/orders", order)
    await asyncio.sleep(0.1)
    world.heard.clear()
    with world.terminal.lock:
        world.terminal.disconnect(restart=True)
        world.terminal.exchange.print(SAMSUNG, 71_600, 100)
    await until(lambda: any(m["type"] == "state" and m["state"] == "down" for m in world.heard))
    await world.connected()
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    kinds = [m.get("state", m["type"]) for m in world.heard if m.get("channel") == "orders"]
    assert kinds == ["down", "gap", "up"]
    again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert again["repeated"] is True and len(world.venue_orders()) == 1
    assert world.terminal.logins >= 1
    # Notices are heard again, once each.
    await world.place("after", limitPrice="71600")
    world.print(71_600, 100)
    await until(lambda: len(world.fills_heard(provisional=False)) == 2)
    assert len(world.terminal.subscribers) == 1


@scenario()
async def test_orders_are_refused_at_once_while_the_session_is_lost(world: World) -> None:
    world.terminal.faults.set("login-fails")
    world.terminal.disconnect()
    await until(lambda: world.service.session.state != "connected")
    refused = await world.place("down")
    assert (refused["kind"], refused["code"]) == ("not_sent", "BROKER_UNAVAILABLE")
    answer = await world.call("GET", f"/api/v1/accounts/{ACCOUNT}/balances")
    assert (answer.status_code, answer.json()["code"]) == (503, "BROKER_UNAVAILABLE")
    await until(lambda: "log in by hand" in world.service.session.reason)
    logins = world.terminal.logins
    await asyncio.sleep(0.3)
    assert world.terminal.logins == logins <= 4
    # A person logs in.
    world.terminal.faults.clear()
    assert world.terminal.login()
    await world.connected()
    assert (await world.place("up"))["kind"] == "accepted"
    assert len(world.venue_orders()) == 1


@scenario(hhmmss=170000, terminal={"nightly_from": 50000, "nightly_until": 73000})
async def test_the_night_ends_the_session_and_the_morning_opens_it(world: World) -> None:
    world.move_to(60000, 20260423)
    await until(lambda: world.service.session.state == "logged_out")
    await until(lambda: "opens at 0730" in world.service.session.reason)
    assert world.terminal.logins == 0
    world.move_to(90100, 20260423)
    await world.connected()
    placed = await world.place("morning")
    assert placed["order"]["venueOrderId"].startswith("20260423-")


@scenario()
async def test_numbers_that_begin_anew_are_other_orders(world: World) -> None:
    first = await world.place("one", limitPrice="71800")
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    world.move_to(90100, 20260423)
    world.terminal.exchange._numbers[20260423] = int(first["order"]["venueOrderId"].split("-")[1]) - 1
    second = await world.place("two", type="market", limitPrice=None)
    assert second["kind"] == "accepted"
    await until(lambda: len(world.fills_heard(provisional=False)) == 2)
    fills = await world.fills()
    assert len({fill["fillId"] for fill in fills}) == 2
    assert [fill["clientOrderId"] for fill in fills] == ["one", "two"]


@scenario(exchange={"quiet": False, "history_from": 20260102})
async def test_a_candle_page_that_repeats_for_ever_ends(world: World) -> None:
    body = {"symbol": "005930", "timeframe": "1m", "limit": 1000}
    whole = (await world.call("POST", "/api/v1/market-data/candles", body)).json()["data"]
    assert len(whole) == 1000
    world.terminal.faults.set("continue-for-ever", match="stockchart")
    calls = len(world.terminal.calls)
    again = (await world.call("POST", "/api/v1/market-data/candles", body)).json()["data"]
    assert again == whole[-len(again) :] and len(again) > 0
    assert len(world.terminal.calls) - calls < 20


@scenario()
async def test_a_list_of_orders_that_repeats_for_ever_is_unreadable(world: World) -> None:
    await world.place("one")
    world.terminal.faults.set("continue-for-ever", match="cptd5341")
    answer = await world.call("GET", f"/api/v1/orders?account={ACCOUNT}&status=open")
    assert (answer.status_code, answer.json()["code"]) == (502, "VENUE_ANSWER_UNREADABLE")
    world.terminal.faults.clear()
    assert len(await world.get(f"/api/v1/orders?account={ACCOUNT}&status=open")) == 1


@scenario()
async def test_a_cancel_whose_reply_is_lost_is_settled_by_the_list(world: World) -> None:
    await world.place("open")
    world.terminal.faults.set("lost-after-accept", 1)
    assert (await world.cancel("open"))["kind"] == "unknown"
    await until_async(lambda: is_status(world, "open", "cancelled"))
    again = await world.cancel("open")
    assert (again["kind"], again["repeated"]) == ("cancelled", True)
    assert len(world.venue_orders("3")) == 1


@scenario(impatient=True)
async def test_the_gate_answers_even_when_a_send_hangs(world: World) -> None:
    world.terminal.faults.set("popup", 1)
    assert (await world.place("hangs"))["kind"] == "unknown"
    gate = await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/gate", {"state": "halted", "reason": "stop"})
    assert gate.json()["data"]["gate"] == "halted" and gate.json()["data"]["ordersUnknown"] == 1


@scenario()
async def test_what_is_unknown_when_its_day_ends_blocks_no_other_day(world: World) -> None:
    world.terminal.faults.set("lost-before-accept", 1)
    await world.place("never")
    assert (await world.place("next"))["code"] == "ORDER_IN_FLIGHT"
    world.move_to(90100, 20260423)

    async def free() -> bool:
        await world.query("never")
        return not world.service.settling.is_pending("never")

    await until_async(free)
    assert (await world.place("today", type="market", limitPrice=None))["kind"] == "accepted"
    assert len(world.venue_orders()) == 1


async def hang(world: World) -> asyncio.Task[object]:
    """A question that keeps the COM thread until it is released; what is asked meanwhile waits behind it."""
    world.terminal.faults.set("hang", 1, match="marketeye.blockrequest")
    asking = asyncio.create_task(world.call("GET", f"/api/v1/market-data/quotes?instrument={KRX_SAMSUNG}"))
    await until(world.terminal.faults.hanging.is_set)
    return asking


@scenario()
async def test_what_waits_for_the_com_thread_when_the_gate_is_halted_is_not_sent(world: World) -> None:
    """Whatever the door has let in: the last word is spoken on that thread, right before the call."""
    assert (await world.place("open", limitPrice="60000"))["kind"] == "accepted"
    in_time = {"sendBeforeUs": world.terminal.clock.now_us() + 60_000_000}
    asking = await hang(world)
    selling = asyncio.create_task(world.place("sells", side="sell", reduceOnly=True, **in_time))
    amending = asyncio.create_task(world.amend("open", "amends", limitPrice="60100", **in_time))
    cancelling = asyncio.create_task(world.cancel("open", "cancels", **in_time))
    await until(lambda: all(world.service.settling.is_pending(one) for one in ("sells", "amends", "cancels")))
    halting = asyncio.create_task(
        world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/gate", {"state": "halted", "reason": "stop"})
    )
    await until(lambda: world.service.fences.gate == "halted")
    world.terminal.faults.released.set()
    assert (await selling)["code"] == (await amending).json()["data"]["code"] == "GATE_HALTED"
    assert (await cancelling)["kind"] == "cancelled"
    assert (await halting).status_code == 200
    await asking
    assert [len(world.venue_orders(kind)) for kind in "123"] == [1, 0, 1]


@scenario()
async def test_what_waits_for_the_com_thread_and_was_decided_before_a_newer_word_is_not_sent(world: World) -> None:
    in_time = {"sendBeforeUs": world.terminal.clock.now_us() + 60_000_000}
    asking = await hang(world)
    older = asyncio.create_task(world.place("older", tradingStateVersion=1, **in_time))
    newer = asyncio.create_task(world.place("newer", side="sell", tradingStateVersion=2, **in_time))
    await until(lambda: world.service.settling.is_pending("older") and world.service.settling.is_pending("newer"))
    word = {"epoch": 0, "tradingStateVersion": 2}
    assert (await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/lease", word)).status_code == 200
    world.terminal.faults.released.set()
    assert (await older)["code"] == "STALE_TRADING_STATE"
    # It went to the wire: there is nothing to sell.
    assert (await newer)["kind"] == "rejected"
    await asking
    assert not world.venue_orders()


@scenario()
async def test_a_slip_of_ours_ends_neither_the_looks_at_the_list_nor_the_stream_of_bars(world: World) -> None:
    service, market = world.service, world.service.market
    lists, chart = service.client.orders_from, service.client.chart
    slips = []

    async def slip(*_: object) -> list[object]:
        slips.append(1)
        raise RuntimeError("a slip")

    await world.place("open", limitPrice="71700")
    service.client.orders_from = slip  # type: ignore[assignment, method-assign]
    service.client.chart = slip  # type: ignore[assignment, method-assign]
    await market.watch("candles", KRX_SAMSUNG, "1m")
    world.print(71_700, 16)
    world.move_to(100102)
    await until(lambda: len(slips) >= 2)

    async def list_failed() -> bool:
        return "LIST_FAILED" in [reason["code"] for reason in (await world.health())["reasons"]]

    await until_async(list_failed)
    service.client.orders_from, service.client.chart = lists, chart  # type: ignore[method-assign]
    world.print(71_700, 16)
    await until(lambda: len(world.fills_heard(provisional=False)) >= 1)
    await until(lambda: any(m["type"] == "candle" for m in world.heard))


@scenario()
async def test_whoever_leaves_while_a_day_is_asked_for_ends_no_stream_of_bars(world: World) -> None:
    market, chart = world.service.market, world.service.client.chart
    asked = asyncio.Event()

    async def slow(*arguments: object) -> object:
        asked.set()
        await asyncio.sleep(0.1)
        return await chart(*arguments)  # type: ignore[arg-type]

    world.service.client.chart = slow  # type: ignore[assignment, method-assign]
    await market.watch("candles", KRX_SAMSUNG, "1D")
    await market.watch("candles", KRX_SAMSUNG, "1m")
    world.print(71_700, 4)
    world.move_to(153400)
    await asked.wait()
    await market.unwatch("candles", KRX_SAMSUNG, "1D")
    await until(lambda: any(m["type"] == "candle" and m["data"]["timeframe"] == "1m" for m in world.heard))
    assert all(m["data"]["timeframe"] != "1D" for m in world.heard if m["type"] == "candle")


@scenario(terminal={"limit_window_us": 60_000_000})
async def test_a_quote_budget_that_another_program_has_used_up_keeps_no_order_waiting(world: World) -> None:
    """Creon counts by login, and would hold the one thread until its window ends."""
    while world.terminal.limits.take(QUOTE):
        pass
    quote = await world.call("GET", f"/api/v1/market-data/quotes?instrument={KRX_SAMSUNG}")
    assert (quote.status_code, quote.json()["code"]) == (429, "RATE_LIMITED")
    assert 0 < quote.json()["retryAfterMs"] <= 60_000
    candles = await world.call("POST", "/api/v1/market-data/candles", {"symbol": "005930", "timeframe": "1D"})
    assert (candles.status_code, candles.json()["code"]) == (429, "RATE_LIMITED")
    assert (await world.place("meanwhile"))["kind"] == "accepted"


@scenario(impatient=True)
async def test_after_a_window_that_blocked_everything_is_heard_once(world: World) -> None:
    await world.place("open", limitPrice="71700")
    await world.service.market.watch("trades", KRX_SAMSUNG, None)
    world.terminal.faults.set("popup", 1)
    await world.place("window", side="sell")
    await until(lambda: world.service.session.state == "blocked")
    world.terminal.faults.popup_answer = "ok"
    world.terminal.faults.released.set()
    await world.connected()
    assert len(world.terminal.subscribers) == 2
    world.print(71_700, 16)
    await until(lambda: any(m["type"] == "trade" for m in world.heard))
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    assert len([m for m in world.heard if m["type"] == "trade"]) == 1


@scenario()
async def test_whatever_com_raises_while_the_hts_is_away_is_told_as_that(world: World) -> None:
    """Objects of a run that is gone raise at every word, others once there is no session."""
    questions = (
        ("GET", "/api/v1/instruments", None),
        ("GET", "/api/v1/instruments?instrument=KRX:000020", None),
        ("GET", f"/api/v1/market-data/quotes?instrument={KRX_SAMSUNG}", None),
        ("GET", f"/api/v1/market-data/order-book?instrument={KRX_SAMSUNG}", None),
        ("POST", "/api/v1/market-data/candles", {"symbol": "005930", "timeframe": "1D"}),
        ("GET", f"/api/v1/accounts/{ACCOUNT}/balances", None),
        ("GET", f"/api/v1/orders?account={ACCOUNT}&status=open", None),
    )
    world.terminal.faults.set("login-fails")
    for restart in (False, True):
        world.service.market._listings.pop("A000660", None)
        world.terminal.disconnect(restart=restart)
        world.terminal.faults.set("raise-when-disconnected")
        for method, target, body in questions:
            answer = await world.call(method, target, body)
            known = answer.status_code == 200 and "instruments" in target
            assert known or answer.json()["code"] == "BROKER_UNAVAILABLE", (restart, target, answer.text)
        with pytest.raises(CreonError):
            await world.service.market.watch("trades", "KRX:000660", None)
    world.terminal.faults.clear()
    assert world.terminal.login()
    await world.connected()


@scenario()
async def test_a_disk_that_is_full_sends_nothing_twice_and_keeps_nobody_waiting(world: World) -> None:
    store, full = world.service.store, sqlite3.OperationalError("database or disk is full")
    mark_sending, save_order = store.mark_sending, store.save_order

    def fails(*_: object) -> None:
        raise full

    store.mark_sending = fails  # type: ignore[assignment, method-assign]
    unsent = await asyncio.wait_for(world.place("unsent"), 10)
    assert (unsent["kind"], unsent["code"]) == ("not_sent", "BROKER_UNAVAILABLE")
    assert "disk is full" in unsent["message"] and not world.venue_orders()
    store.mark_sending = mark_sending  # type: ignore[method-assign]

    store.save_order = fails  # type: ignore[assignment, method-assign]
    order = world.order("sent")
    sent = await asyncio.wait_for(world.call("POST", "/api/v1/orders", order), 10)
    assert sent.json()["data"]["kind"] == "unknown"
    # Another of its side could not be told apart from it.
    assert (await world.place("next"))["code"] == "ORDER_IN_FLIGHT"
    store.save_order = save_order  # type: ignore[method-assign]

    async def found() -> bool:
        return bool((await world.call("POST", "/api/v1/orders", order)).json()["data"]["kind"] == "accepted")

    await until_async(lambda: is_status(world, "sent", "accepted"))
    await until_async(found)
    assert len(world.venue_orders()) == 1


@scenario()
async def test_a_subscription_that_failed_is_made_when_it_is_asked_for_again(world: World) -> None:
    market, on_thread = world.service.market, world.service.client.on_thread

    async def fails(*_: object) -> None:
        raise UnavailableError("expected fewer than 400 subscriptions of this login")

    world.service.client.on_thread = fails  # type: ignore[assignment, method-assign]
    with pytest.raises(UnavailableError):
        await market.watch("quotes", KRX_SAMSUNG, None)
    world.service.client.on_thread = on_thread  # type: ignore[method-assign]
    await market.watch("trades", KRX_SAMSUNG, None)
    world.print(71_700, 4)
    await until(lambda: any(m["type"] == "trade" for m in world.heard))


@scenario()
async def test_an_order_that_two_lost_requests_fit_is_taken_for_neither(world: World) -> None:
    """The first was thought never to have arrived; now both could be that one order."""
    world.terminal.faults.set("lost-before-accept", 1)
    assert (await world.place("first"))["kind"] == "unknown"

    async def may_go_on() -> bool:
        await world.query("first")
        return bool((await world.health())["accounts"][0]["ordersUnknown"] == 0)

    await until_async(may_go_on)
    world.terminal.faults.set("lost-after-accept", 1)
    assert (await world.place("second"))["kind"] == "unknown"
    for name in ("first", "second"):
        answer = await world.query(name)
        assert (answer.status_code, answer.json()["code"]) == (409, "ORDER_AMBIGUOUS"), answer.text
    assert "ORDER_AMBIGUOUS" in [reason["code"] for reason in (await world.health())["reasons"]]
    assert (await world.place("third"))["code"] == "ORDER_IN_FLIGHT"
    assert len(world.venue_orders()) == 1
