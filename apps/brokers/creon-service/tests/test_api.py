"""The Broker API's door: signatures, forms, problems, market data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.auth import Key, SignatureCheck, Signed, canonical_text, read_keys, signature_of
from adapters.problems import PROBLEMS, ProblemError
from domain.fees import estimated_fee
from domain.words import Kind
from simulated_com.calendar import Sessions
from simulated_com.rules import sell_tax
from worlds import ACCOUNT, KRX_SAMSUNG, World, scenario, signed, wall_us

CONTRACT = Path(__file__).resolve().parents[4] / "libs/shared/contracts/broker-api"


def test_signatures_are_those_of_the_contract() -> None:
    vectors = json.loads((CONTRACT / "authentication-vectors.json").read_text())
    assert len(vectors) >= 5
    for vector in vectors:
        parts = (vector["method"], vector["target"], vector["body"].encode(), vector["timestampUs"], vector["nonce"])
        assert canonical_text(*parts) == vector["canonical"], vector["says"]
        assert signature_of(vector["secret"], *parts) == vector["signature"], vector["says"]


def test_problem_codes_are_those_of_the_contract() -> None:
    document = (CONTRACT / "openapi.yaml").read_text()
    for code in PROBLEMS:
        assert f"- {code}\n" in document, code


@scenario()
async def test_who_is_not_known_is_told_no_more(world: World) -> None:
    target = "/api/v1/health"

    async def code_of(headers: dict[str, str]) -> tuple[int, str]:
        answer = await world.client.get(target, headers=headers)
        assert answer.headers["content-type"].startswith("application/problem+json")
        return answer.status_code, answer.json()["code"]

    good = signed("GET", target, b"")
    assert await code_of({}) == (401, "AUTHENTICATION_MISSING")
    assert await code_of({**good, "x-jts-signature": "0" * 64}) == (401, "AUTHENTICATION_FAILED")
    assert await code_of(signed("GET", target, b"", "nobody")) == (401, "AUTHENTICATION_FAILED")
    assert await code_of(signed("GET", target, b"", secret="y" * 32)) == (401, "AUTHENTICATION_FAILED")
    assert await code_of(signed("POST", target, b"")) == (401, "AUTHENTICATION_FAILED")
    # The refused ones used up nothing.
    assert (await world.client.get(target, headers=good)).status_code == 200
    assert await code_of(good) == (401, "NONCE_REUSED")
    for skew in (-31_000_000, 31_000_000):
        headers = signed("GET", target, b"", timestamp=str(wall_us() + skew))
        assert await code_of(headers) == (401, "CLOCK_SKEW")
    before = await world.client.get(
        target, headers=signed("GET", target, b"", timestamp=str(world.service.started_us - 1_000_000))
    )
    assert before.json()["code"] == "CLOCK_SKEW" and abs(before.json()["serverTimeUs"] - wall_us()) < 60_000_000


@scenario()
async def test_a_replayed_order_is_refused_before_it_is_looked_at(world: World) -> None:
    body = json.dumps(world.order("replayed")).encode()
    headers = {**signed("POST", "/api/v1/orders", body), "content-type": "application/json"}
    first = await world.client.post("/api/v1/orders", content=body, headers=headers)
    assert first.json()["data"]["kind"] == "accepted"
    again = await world.client.post("/api/v1/orders", content=body, headers=headers)
    assert (again.status_code, again.json()["code"]) == (401, "NONCE_REUSED")
    assert len(world.venue_orders()) == 1


@scenario()
async def test_keys_have_rights_and_accounts(world: World) -> None:
    order = world.order()
    assert (await world.call("POST", "/api/v1/orders", order, "reader")).json()["code"] == "FORBIDDEN"
    assert (await world.call("GET", "/api/v1/capabilities", key="reader")).status_code == 200
    assert (await world.call("POST", "/api/v1/orders", order, "other")).json()["code"] == "FORBIDDEN"
    elsewhere = {**order, "account": "sim.creon.other"}
    assert (await world.call("POST", "/api/v1/orders", elsewhere)).json()["code"] == "ACCOUNT_NOT_FOUND"
    assert (await world.call("GET", "/api/v1/capabilities", key="other")).json()["data"]["accounts"] == []
    assert not world.venue_orders()


@scenario()
async def test_what_is_not_of_the_contract_is_refused_with_its_reason(world: World) -> None:
    async def code_of(method: str, target: str, body: Any = None, **headers: str) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = signed(method, target, data)
        if body is not None:
            sent["content-type"] = "application/json"
        answer = await world.client.request(method, target, content=data, headers={**sent, **headers})
        return answer.status_code, answer.json()["code"]

    order = world.order()
    for body in (
        b"{",
        b"\xff",
        b"[]",
        {**order, "surprise": 1},
        {**order, "quantity": 10},
        {**order, "quantity": "10.0"},
        {**order, "quantity": "-1"},
        {**order, "clientOrderId": "a" * 37},
        {**order, "clientOrderId": "a\n"},
        {**order, "reduceOnly": None},
        {**order, "sendBeforeUs": 2**60},
        {name: value for name, value in order.items() if name != "side"},
    ):
        assert await code_of("POST", "/api/v1/orders", body) == (400, "INVALID_REQUEST"), body
    assert await code_of("GET", "/api/v1/nothing") == (404, "NOT_FOUND")
    assert await code_of("PUT", "/api/v1/orders", {}) == (405, "METHOD_NOT_ALLOWED")
    assert await code_of("GET", "/api/v1/health?x=1") == (400, "INVALID_REQUEST")
    assert await code_of("GET", f"/api/v1/orders?account={ACCOUNT}&status=open&status=open") == (400, "INVALID_REQUEST")
    assert await code_of("POST", "/api/v1/orders", b"x" * 1_100_000) == (413, "PAYLOAD_TOO_LARGE")
    text = {"content-type": "text/plain"}
    assert await code_of("POST", "/api/v1/orders", order, **text) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await code_of("GET", f"/api/v1/market-data/trades?instrument={KRX_SAMSUNG}") == (422, "NOT_SUPPORTED")
    assert await code_of("GET", "/api/v1/instruments?instrument=KRX:999999") == (404, "INSTRUMENT_NOT_FOUND")
    assert await code_of("GET", f"/api/v1/fills?account={ACCOUNT}&after=abc.1") == (410, "CURSOR_UNKNOWN")
    candles = {"symbol": "005930", "timeframe": "7m"}
    assert await code_of("POST", "/api/v1/market-data/candles", candles) == (422, "NOT_SUPPORTED")
    assert not world.venue_orders()


@scenario(hhmmss=100030, exchange={"quiet": False, "history_from": 20260302})
async def test_candles_open_at_their_start_and_leave_out_the_running_one(world: World) -> None:
    minutes = await candles(world, {"symbol": "005930", "timeframe": "1m", "limit": 2})
    assert [bar["openTimeUs"] % 3_600_000_000 // 60_000_000 for bar in minutes] == [58, 59]
    assert all(bar["closeTimeUs"] == bar["openTimeUs"] + 60_000_000 - 1000 for bar in minutes)
    days = await candles(
        world, {"symbol": KRX_SAMSUNG, "timeframe": "1D", "startDate": "2026-04-17", "endDate": "2026-04-22"}
    )
    # A weekend in between, and today is not over.
    assert [bar["openTimeUs"] // 86_400_000_000 for bar in days] == [20560, 20563, 20564]
    assert all(bar["openTimeUs"] % 86_400_000_000 == 0 for bar in days)
    assert all((bar["closeTimeUs"] + 1000) % 86_400_000_000 == 6 * 3_600_000_000 + 30 * 60_000_000 for bar in days)
    first = await candles(world, {"symbol": "005930", "timeframe": "5m", "startDate": "2026-04-21", "limit": 3})
    one = await candles(world, {"symbol": "005930", "timeframe": "1m", "startDate": "2026-04-21", "limit": 5})
    assert first[0]["openTimeUs"] == one[0]["openTimeUs"] and first[0]["close"] == one[4]["close"]
    assert int(first[0]["volume"]) == sum(int(bar["volume"]) for bar in one)


async def candles(world: World, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await world.call("POST", "/api/v1/market-data/candles", body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


@scenario(hhmmss=85000)
async def test_in_an_auction_a_quote_has_an_expected_price_and_no_trade(world: World) -> None:
    world.print(71_800, 10)
    quote = (await world.get(f"/api/v1/market-data/quotes?instrument={KRX_SAMSUNG}"))[0]
    assert quote["expectedPrice"] == "71800" and quote["session"] == "opening_auction"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected {"),
        ('{"keys": []}', "at least one key"),
        ('{"keys": [{"id": "a b", "secret": "", "right": "trade"}]}', "an id of"),
        ('{"keys": [{"id": "a", "secret": "too-short", "right": "trade"}]}', "at least 32 bytes"),
        ('{"keys": [{"id": "a", "secret": "not-a-secret-0123456789abcdefghij", "right": "all"}]}', "the right"),
    ],
)
def test_a_file_of_keys_that_cannot_be_read_says_where(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        read_keys(file)
    assert "too-short" not in str(caught.value)


def test_a_nonce_is_known_until_its_timestamp_is_out_of_the_window() -> None:
    now = [1_795_392_930_000_000]
    check = SignatureCheck([Key("k", "s" * 32, "read", None)], lambda: now[0])

    def request(timestamp: int) -> Signed:
        parts = ("GET", "/api/v1/health", b"", str(timestamp), "nonce-0123456789abcdef")
        values = ("k", parts[3], parts[4], signature_of("s" * 32, *parts))
        return Signed(
            parts[0],
            parts[1],
            b"",
            list(zip(("x-jts-key", "x-jts-timestamp", "x-jts-nonce", "x-jts-signature"), values, strict=True)),
        )

    early = request(now[0] + 29_000_000)
    assert check.check(early).id == "k"
    for passed, code in ((58_000_000, "NONCE_REUSED"), (61_000_000, "CLOCK_SKEW")):
        now[0] = 1_795_392_930_000_000 + passed
        with pytest.raises(ProblemError) as caught:
            check.check(early)
        assert caught.value.code == code


@scenario()
async def test_a_listing_is_told_as_what_it_is_and_as_it_stands_now(world: World) -> None:
    asked = "/api/v1/instruments?instrument=KRX:069500&instrument=KRX:247540&instrument=KRX:900110"

    async def told() -> list[tuple[str, str, bool, list[str]]]:
        found = await world.get(asked)
        assert {one["date"] for one in found} == {"2026-04-22"} and all("alwaysOpen" not in one for one in found)
        return [(one["market"], one["kind"], one["tradable"], one.get("reasons", [])) for one in found]

    halted = ("KOSDAQ", "stock", False, ["HALTED"])
    assert await told() == [("KOSPI", "etf", True, []), ("KOSDAQ", "stock", True, []), halted]
    assert (await world.get(asked))[0]["tickSize"] == "5"
    world.terminal.exchange.restrict("A069500", halted=True)
    world.terminal.exchange.restrict("A247540", administrative=True, control=2)
    # Master data is of the login and does not know yet; a fresh look does.
    world.service.market._standings.clear()
    assert await told() == [
        ("KOSPI", "etf", False, ["HALTED"]),
        ("KOSDAQ", "stock", True, ["MANAGED", "WARNING"]),
        halted,
    ]


@scenario(exchange={"sessions": Sessions(always_open=True)})
async def test_a_simulated_market_that_never_closes_says_so(world: World) -> None:
    assert (await world.get(f"/api/v1/instruments?instrument={KRX_SAMSUNG}"))[0]["alwaysOpen"] is True


def test_the_estimated_tax_goes_by_what_is_sold_and_by_the_day_of_settlement() -> None:
    def tax(date: int, market: str = "KOSPI", kind: Kind = "stock") -> int:
        return estimated_fee("sell", 100, 10_000, date, 0, market, kind)

    assert (tax(20251226), tax(20251229), tax(20241226), tax(20241227)) == (1500, 2000, 1800, 1500)
    assert [tax(20260422, kind=kind) for kind in ("etf", "etn", "elw")] == [0, 0, 0]
    assert (tax(20260422, "KOSDAQ"), tax(20260422, "KONEX")) == (2000, 1000)


def test_the_two_taxes_of_a_kospi_share_are_cut_to_the_won_each() -> None:
    # Of 739,000: commission 110.85, transaction tax 369.5, farm tax 1,108.5.
    assert estimated_fee("sell", 10, 73_900, 20260422, 150) == 110 + 369 + 1_108
    assert sell_tax(739_000, 20260422, "KOSPI") == 369 + 1_108
