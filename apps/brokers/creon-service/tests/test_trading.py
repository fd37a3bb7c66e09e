"""Good days and refusals: placed once, told honestly, settled by the broker's own list."""

from __future__ import annotations

from terminals import SAMSUNG
from worlds import ACCOUNT, KRX_SAMSUNG, World, scenario, until, until_async


@scenario()
async def test_an_order_is_placed_once_and_the_same_request_again_sends_nothing(world: World) -> None:
    order = world.order("once")
    first = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert (first["kind"], first["repeated"], first["order"]["status"]) == ("accepted", False, "accepted")
    again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert (again["kind"], again["repeated"]) == ("accepted", True)
    assert again["order"]["venueOrderId"] == first["order"]["venueOrderId"]
    assert len(world.venue_orders()) == 1

    other = await world.call("POST", "/api/v1/orders", {**order, "quantity": "11"})
    assert (other.status_code, other.json()["code"]) == (409, "ORDER_CONFLICT")
    fenced = await world.call("POST", "/api/v1/orders", {**order, "leaseEpoch": 3})
    assert fenced.json()["data"]["repeated"] is True
    assert len(world.venue_orders()) == 1


@scenario()
async def test_a_request_known_to_the_journal_is_not_sent_after_a_restart(world: World) -> None:
    order = world.order("kept")
    await world.call("POST", "/api/v1/orders", order)
    # The record lives in memory here, so the same store goes on.
    again = (await world.call("POST", "/api/v1/orders", order)).json()["data"]
    assert again["repeated"] is True and len(world.venue_orders()) == 1


@scenario(rare_looks=True)
async def test_fills_are_provisional_first_and_settled_by_the_list(world: World) -> None:
    placed = await world.place("filled", limitPrice="71700")
    world.print(71_700, 16)
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    world.print(71_600, 100)
    await until(lambda: len(world.fills_heard(provisional=False)) == 2)
    number = placed["order"]["venueOrderId"]
    fills = await world.fills()
    assert [(fill["fillId"], fill["quantity"], fill["price"]) for fill in fills] == [
        (f"{number}:4", "4", "71700"),
        (f"{number}:10", "6", "71700"),
    ]
    assert [fill["fee"] for fill in fills] == ["43", "64"]
    assert all(not fill["provisional"] and fill["idSource"] == "cumulative" for fill in fills)
    told = {fill["fillId"] for fill in world.fills_heard(provisional=True)}
    assert told == {fill["fillId"] for fill in fills}
    report = (await world.query("filled")).json()["data"]
    assert (report["status"], report["cumulativeQuantity"], report["cumulativeQuote"]) == ("filled", "10", "717000")
    after = await world.call("GET", f"/api/v1/fills?account={ACCOUNT}&after={fills[0]['cursor']}&limit=1")
    assert [fill["fillId"] for fill in after.json()["data"]] == [f"{number}:10"] and after.json()["more"] is False


@scenario()
async def test_an_order_that_takes_from_several_levels_has_a_fill_for_each(world: World) -> None:
    with world.terminal.lock:
        levels = world.terminal.exchange.market_now(SAMSUNG).book("buy")[:3]
    wanted = levels[0][1] + levels[1][1] + 5
    await world.place("deep", quantity=str(wanted), limitPrice=str(levels[2][0]))
    await until(lambda: len(world.fills_heard(provisional=False)) == 3)
    assert [(fill["price"], fill["quantity"]) for fill in await world.fills()] == [
        (str(levels[0][0]), str(levels[0][1])),
        (str(levels[1][0]), str(levels[1][1])),
        (str(levels[2][0]), "5"),
    ]


@scenario()
async def test_a_market_order_is_filled_and_the_rest_of_an_ioc_order_is_cancelled(world: World) -> None:
    await world.place("market", type="market", limitPrice=None, quantity="3")
    assert (await world.query("market")).json()["data"]["status"] == "filled"
    with world.terminal.lock:
        available = world.terminal.exchange.market_now(SAMSUNG).book("buy")[0][1]
    await world.place("ioc", timeInForce="ioc", quantity=str(available + 1), limitPrice="71800")
    report = (await world.query("ioc")).json()["data"]
    assert (report["status"], report["cumulativeQuantity"]) == ("cancelled", str(available))


@scenario()
async def test_a_cancel_ends_an_order_and_a_second_one_finds_it_closed(world: World) -> None:
    await world.place("open")
    cancelled = await world.cancel("open")
    assert (cancelled["kind"], cancelled["order"]["status"]) == ("cancelled", "cancelled")
    assert (await world.cancel("open"))["repeated"] is True
    assert (await world.cancel("open", "cancel-2"))["kind"] == "not_open"
    assert (await world.cancel("never", "cancel-3"))["kind"] == "not_open"
    assert len(world.venue_orders("3")) == 1


@scenario()
async def test_a_cancel_that_comes_too_late_finds_the_order_filled(world: World) -> None:
    await world.place("race", limitPrice="71700")
    world.terminal.faults.set("late-notices")
    world.print(71_600, 100)
    late = await world.cancel("race")
    assert late["kind"] == "not_open"
    assert (await world.query("race")).json()["data"]["status"] == "filled"


@scenario()
async def test_an_amendment_goes_on_under_its_own_id_and_number(world: World) -> None:
    placed = await world.place("first")
    amended = (await world.amend("first", "second", limitPrice="70500")).json()["data"]
    assert amended["kind"] == "amended"
    assert amended["order"]["clientOrderId"] == "second" and amended["order"]["replacesClientOrderId"] == "first"
    assert amended["order"]["venueOrderId"] != placed["order"]["venueOrderId"]
    assert (amended["replaced"]["status"], amended["order"]["limitPrice"]) == ("cancelled", "70500")
    world.print(70_400, 100)
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    assert (await world.fills())[0]["clientOrderId"] == "second"


@scenario()
async def test_a_split_leaves_two_orders(world: World) -> None:
    await world.place("whole")
    split = (await world.amend("whole", "part", limitPrice="70500", splitQuantity="4")).json()["data"]
    assert (split["order"]["quantity"], split["replaced"]["quantity"]) == ("4", "6")
    open_orders = await world.get(f"/api/v1/orders?account={ACCOUNT}&status=open")
    assert {order["clientOrderId"]: order["quantity"] for order in open_orders} == {"whole": "6", "part": "4"}


@scenario()
async def test_what_stands_before_the_wire_is_told_by_its_code(world: World) -> None:
    now = world.terminal.clock.now_us()
    late = await world.place(intentTimeUs=now - 10, sendBeforeUs=now - 5)
    assert (late["kind"], late["code"]) == ("not_sent", "TOO_LATE")
    await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/lease", {"epoch": 5})
    assert (await world.place(leaseEpoch=4))["code"] == "STALE_LEASE"
    stale = await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/lease", {"epoch": 4})
    assert (stale.status_code, stale.json()["code"]) == (409, "STALE_LEASE")
    assert (await world.place(leaseEpoch=6, tradingStateVersion=7))["kind"] == "accepted"
    assert (await world.place(tradingStateVersion=6))["code"] == "STALE_TRADING_STATE"
    assert (await world.place(leaseEpoch=5, tradingStateVersion=99))["code"] == "STALE_LEASE"
    open_order = await world.place("open")
    assert open_order["kind"] == "accepted"
    gate = await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/gate", {"state": "halted", "reason": "사람이 멈춤"})
    state = gate.json()["data"]
    assert (state["gate"], state["gateReason"], state["leaseEpoch"], state["tradingStateVersion"]) == (
        "halted",
        "사람이 멈춤",
        6,
        7,
    )
    halted = await world.place("halted")
    assert halted["code"] == "GATE_HALTED"
    assert (await world.cancel("open"))["kind"] == "cancelled"
    assert len(world.venue_orders()) == 2
    # The next owner has read the trading state itself, and counts from its own versions.
    lease = await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/lease", {"epoch": 7})
    assert (lease.json()["data"]["leaseEpoch"], lease.json()["data"]["tradingStateVersion"]) == (7, 0)
    # The owner says a newer state without touching the gate, and no older one.
    for said, version in ((3, 3), (2, 3)):
        word = {"epoch": 7, "tradingStateVersion": said}
        lease = await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/lease", word)
        assert (lease.json()["data"]["gate"], lease.json()["data"]["tradingStateVersion"]) == ("halted", version)
    # Not sent is for ever.
    await world.call("PUT", f"/api/v1/accounts/{ACCOUNT}/gate", {"state": "open", "reason": ""})
    again = await world.place("halted")
    assert (again["code"], again["repeated"]) == ("GATE_HALTED", True)
    assert (await world.place("behind", tradingStateVersion=2))["code"] == "STALE_TRADING_STATE"


@scenario()
async def test_what_the_venue_could_only_refuse_is_not_sent(world: World) -> None:
    for fields in (
        {"quantity": "1.5"},
        {"quantity": None},
        {"quoteQuantity": "100000"},
        {"type": "limit_maker"},
        {"type": "market"},
        {"limitPrice": None},
        {"timeInForce": "gtc"},
        {"route": "NXT"},
        {"instrument": "KRX:999999"},
        {"instrument": "BINANCE:BTCUSDT"},
    ):
        refused = await world.place(**fields)
        assert (refused["kind"], refused.get("code")) == ("not_sent", "INVALID"), fields
    assert not world.venue_orders()


@scenario()
async def test_the_broker_s_refusals_are_rejections_with_a_code(world: World) -> None:
    for fields, code in (
        ({"limitPrice": "70010"}, "FILTER_FAILURE"),
        ({"limitPrice": "93300"}, "FILTER_FAILURE"),
        ({"quantity": "1000000"}, "INSUFFICIENT_BALANCE"),
        ({"side": "sell"}, "INSUFFICIENT_BALANCE"),
    ):
        rejected = await world.place(**fields)
        assert (rejected["kind"], rejected["code"]) == ("rejected", code), fields
    world.move_to(153500)
    assert (await world.place())["code"] == "MARKET_CLOSED"


@scenario()
async def test_an_order_of_a_person_is_told_as_foreign_with_its_fills(world: World) -> None:
    with world.terminal.lock:
        world.terminal.exchange.place(SAMSUNG, "buy", 7, 71_700, media="02")
    await until(lambda: any(m["type"] == "order" for m in world.heard))
    world.print(71_600, 100)
    await until(lambda: len(world.fills_heard(provisional=False)) == 1)
    fill = (await world.fills())[0]
    assert fill["clientOrderId"] == f"venue-{fill['venueOrderId']}" and fill["quantity"] == "7"


@scenario()
async def test_balances_and_positions_are_the_broker_s(world: World) -> None:
    await world.place(limitPrice="71800", quantity="10")
    await world.place(limitPrice="60000", quantity="10")
    balance = (await world.get(f"/api/v1/accounts/{ACCOUNT}/balances"))[0]
    cash = world.terminal.exchange.ledger.cash_in_the_end()
    assert int(balance["free"]) + int(balance["locked"]) == cash == 100_000_000 - 718_000 - 107
    assert int(balance["locked"]) >= 600_000
    # What was bought is paid on the second trading day.
    assert balance["settled"] == "100000000"
    world.move_to(100000, 20260423)
    assert (await world.get(f"/api/v1/accounts/{ACCOUNT}/balances"))[0]["settled"] == "100000000"
    world.move_to(100000, 20260424)
    assert (await world.get(f"/api/v1/accounts/{ACCOUNT}/balances"))[0]["settled"] == str(cash)
    position = (await world.get(f"/api/v1/accounts/{ACCOUNT}/positions"))[0]
    assert (position["instrument"], position["quantity"], position["totalCost"]) == (KRX_SAMSUNG, "10", "718000")


@scenario()
async def test_an_order_that_outlives_its_session_expires(world: World) -> None:
    await world.place("day")
    world.move_to(153100)

    async def expired() -> bool:
        return bool((await world.query("day")).json()["data"]["status"] == "expired")

    await until_async(expired)
