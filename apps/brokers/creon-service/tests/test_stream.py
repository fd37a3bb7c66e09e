"""The WebSocket as stream.md tells it, over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from processes import MORNING, ServiceProcess
from simulated_com.clock import kst, us_of
from worlds import ACCOUNT, KRX_SAMSUNG

Json = dict[str, Any]
STREAM = "/api/v1/stream"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("stream")
    started = ServiceProcess(folder, f"--sim-clock=manual:{MORNING}", "--sim-quiet", "--sim-window-ms=500")
    started.connected()
    yield started
    started.stop()


class Stream:
    def __init__(self, service: ServiceProcess) -> None:
        url = service.place["url"].replace("http", "ws") + STREAM
        self.socket: ClientConnection = connect(url, additional_headers=service.headers("GET", STREAM), legacy=True)
        self.seq = 0
        assert self.next()["type"] == "welcome"

    def next(self) -> Json:
        message: Json = json.loads(self.socket.recv(timeout=20))
        self.seq += 1
        assert message["seq"] == self.seq
        return message

    def until(self, kind: str) -> Json:
        # Heartbeats come for ever.
        end = time.monotonic() + 20
        while True:
            message = self.next()
            if message["type"] == kind:
                return message
            assert time.monotonic() < end, f"expected a message of type {kind} in time"

    def ask(self, op: str, **subscription: Any) -> Json:
        self.socket.send(json.dumps({"op": op, "id": "1", "subscription": subscription}))
        while True:
            message = self.next()
            if message.get("id") == "1":
                return message


def test_an_upgrade_without_a_signature_gets_the_problem(service: ServiceProcess) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(service.place["url"].replace("http", "ws") + STREAM)
    response = caught.value.response
    assert response.status_code == 401
    assert json.loads(response.body or b"")["code"] == "AUTHENTICATION_MISSING"


@pytest.mark.parametrize("path", ["/health", "/api/v1/health", "/api/v1/capabilities"])
def test_an_upgrade_elsewhere_gets_the_problem(service: ServiceProcess, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(service.place["url"].replace("http", "ws") + path, additional_headers=service.headers("GET", path))
    assert (caught.value.response.status_code, json.loads(caught.value.response.body or b"")["code"]) == (
        404,
        "NOT_FOUND",
    )


def test_order_events_come_in_order_and_again_after_a_cursor(service: ServiceProcess) -> None:
    stream = Stream(service)
    subscribed = stream.ask("subscribe", channel="orders", account=ACCOUNT)
    assert subscribed["type"] == "subscribed"
    service.place_order(service.order("streamed", limitPrice="71700", quantity="10"))
    assert stream.until("order")["order"]["status"] == "accepted"
    service.control.post("/print", json={"code": "A005930", "price": 71_600, "quantity": 100})
    provisional, settled = stream.until("order"), stream.until("order")
    assert [m["fill"]["provisional"] for m in (provisional, settled)] == [True, False]
    assert provisional["fill"]["fillId"] == settled["fill"]["fillId"]
    assert settled["order"]["status"] == "filled"

    again = Stream(service)
    assert again.ask("subscribe", channel="orders", account=ACCOUNT, after=subscribed["cursor"])["type"] == "subscribed"
    replayed = [again.until("order") for _ in range(3)]
    assert [m["cursor"] for m in replayed][1:] == [provisional["cursor"], settled["cursor"]]
    unknown = Stream(service)
    assert unknown.ask("subscribe", channel="orders", account=ACCOUNT, after="elsewhere.7")["type"] == "subscribed"
    assert unknown.next()["reason"] == "CURSOR_UNKNOWN"


def test_closed_bars_quotes_and_books_are_streamed(service: ServiceProcess) -> None:
    stream = Stream(service)
    for subscription in (
        {"channel": "candles", "instrument": KRX_SAMSUNG, "timeframe": "1m"},
        {"channel": "trades", "instrument": KRX_SAMSUNG},
        {"channel": "quotes", "instrument": KRX_SAMSUNG},
        {"channel": "orderBook", "instrument": KRX_SAMSUNG},
    ):
        assert stream.ask("subscribe", **subscription)["type"] == "subscribed"
    service.control.post("/print", json={"code": "A005930", "price": 71_500, "quantity": 7})
    trade = stream.until("trade")["data"]
    assert (trade["price"], trade["quantity"], trade["tradeId"].split("-")[0]) == ("71500", "7", "20260422")
    quote = stream.until("quote")["data"]
    assert (quote["lastPrice"], quote["lastQuantity"]) == ("71500", "7")
    assert stream.until("orderBook")["data"]["bids"][0]["price"] == "71500"
    now = service.venue()["nowUs"]
    service.control.post("/clock", json={"nowUs": now + 62_000_000})
    bar = stream.until("candle")["data"]
    assert (bar["close"], bar["final"]) == ("71500", True)
    asked = service.call("POST", "/api/v1/market-data/candles", {"symbol": "005930", "timeframe": "1m", "limit": 1})
    assert asked.json()["data"] == [bar]
    assert stream.ask("unsubscribe", channel="quotes", instrument=KRX_SAMSUNG)["type"] == "unsubscribed"


def test_what_is_not_there_and_what_is_not_understood_is_told(service: ServiceProcess) -> None:
    stream = Stream(service)
    timeframe = stream.ask("subscribe", channel="candles", instrument=KRX_SAMSUNG, timeframe="7m")
    assert timeframe["problem"]["code"] == "NOT_SUPPORTED"
    unlisted = stream.ask("subscribe", channel="quotes", instrument="KRX:999999")
    assert unlisted["problem"]["code"] == "INSTRUMENT_NOT_FOUND"
    elsewhere = stream.ask("subscribe", channel="orders", account="sim.creon.other")
    assert elsewhere["problem"]["code"] == "ACCOUNT_NOT_FOUND"
    stream.socket.send(json.dumps({"op": "ping", "id": "p"}))
    assert stream.until("pong")["id"] == "p"
    for _ in range(10):
        stream.socket.send("nonsense")
    with pytest.raises(ConnectionClosed) as caught:
        for _ in range(20):
            stream.next()
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 4400


def test_a_lost_session_is_a_state_and_a_gap(service: ServiceProcess) -> None:
    stream = Stream(service)
    stream.ask("subscribe", channel="orders", account=ACCOUNT)
    service.control.post("/session", json={"state": "lost"})
    assert stream.until("state")["state"] == "down"
    assert stream.until("gap")["reason"] == "VENUE_STREAM_LOST"
    assert stream.until("state")["state"] == "up"


def test_heartbeats_tell_both_clocks(service: ServiceProcess) -> None:
    stream = Stream(service)
    beat = stream.until("heartbeat")
    assert beat["venueTimeUs"] == service.venue()["nowUs"]


def test_the_bar_of_a_day_is_streamed_when_its_day_is_over_wherever_the_looks_fall(service: ServiceProcess) -> None:
    stream = Stream(service)
    day = {"channel": "candles", "instrument": KRX_SAMSUNG, "timeframe": "1D"}
    assert stream.ask("subscribe", **day)["type"] == "subscribed"
    service.control.post("/print", json={"code": "A005930", "price": 71_900, "quantity": 3})
    date = kst(service.venue()["nowUs"]).strftime("%Y-%m-%d")
    for at in ("15:29:20", "15:30:00", "15:32:30", "15:33:40", "15:34:50"):
        service.control.post("/clock", json={"nowUs": us_of(datetime.fromisoformat(f"{date}T{at}"))})
        # A look for new bars every half second.
        time.sleep(0.7)
    bar = stream.until("candle")["data"]
    assert (bar["timeframe"], bar["close"], bar["final"]) == ("1D", "71900", True)
    assert us_of(datetime.fromisoformat(f"{date}T15:30:00")) - bar["closeTimeUs"] == 1000
