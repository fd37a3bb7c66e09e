"""The whole service in this process on the simulated COM: a quiet market, a clock that tests move, signed requests."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import httpx

import service as service_module
import simulated_com as com
from adapters.auth import Key, SignatureCheck, signature_of
from adapters.com import ComModule, load_com
from adapters.http import create_app
from adapters.store import Store
from creon_client import Waits
from rate_limiter import QUOTE_LIMIT, TRADE_LIMIT, shortened
from service import LOOK_OPEN_S, CreonService, ServiceOptions
from session import SessionTimings
from simulated_com.clock import ManualVenueClock, at
from simulated_com.exchange import ExchangeOptions
from simulated_com.terminal import Terminal, TerminalOptions
from stream_hub import Message
from terminals import DAY, SAMSUNG
from trading import Timings

ACCOUNT = "sim.creon.main"
KRX_SAMSUNG = "KRX:005930"
SECRET = "not-a-secret-0123456789abcdefghij"
KEYS = (
    Key("trader", SECRET, "trade", None),
    Key("reader", SECRET, "read", None),
    Key("other", SECRET, "trade", ("sim.creon.other",)),
)
# The broker's windows are short, so that a test is not kept waiting by them.
WINDOW_US = 200_000
Json = dict[str, Any]


def wall_us() -> int:
    return time.time_ns() // 1000


class World:
    def __init__(
        self, folder: Path | None, hhmmss: int, day: int, options: Json, exchange: Json, service: Json
    ) -> None:
        made = ExchangeOptions(**{"quiet": True, "history_from": day, **exchange})
        venue = None if folder is None else folder / "venue.sqlite"
        terminal_options = TerminalOptions(exchange=made, store=venue, **{"limit_window_us": WINDOW_US, **options})
        self.terminal = Terminal(terminal_options, ManualVenueClock(at(day, hhmmss)))
        com.install(self.terminal)
        self._folder, self._service_options = folder, service
        self._ids = itertools.count(1)
        self.heard: list[Message] = []
        self.client: httpx.AsyncClient

    async def start(self) -> None:
        given = dict(self._service_options)
        window = given.pop("window_us", WINDOW_US * 5 // 4)
        # Patient, so that a slow machine is no failure; tests of calls that do not come back are not.
        impatient = given.pop("impatient", False)
        # A list that is read between a fill and its notice leaves nothing provisional to tell.
        service_module.LOOK_OPEN_S = 600.0 if given.pop("rare_looks", False) else LOOK_OPEN_S
        reply_us, blocked_us, answer_us = (400_000, 600_000, 1_500_000) if impatient else (20_000_000,) * 3
        options = ServiceOptions(
            account=ACCOUNT,
            dry_run=False,
            waits=Waits(answer_us=answer_us, history_us=answer_us),
            timings=Timings(reply_us=reply_us, confirm_us=20_000_000, absent_us=50_000, gate_us=300_000),
            session=SessionTimings(look_s=0.03, blocked_us=blocked_us, login_pauses_s=(0.02, 0.02), connect_s=20.0),
            limits=(shortened(TRADE_LIMIT, window), shortened(QUOTE_LIMIT, window)),
        )
        options = replace(options, **given)
        store = Store(None if self._folder is None else self._folder / "record.sqlite")
        module: ComModule = load_com("simulated")
        self.service = CreonService(options, module, self.terminal, store, wall_us, self.terminal.clock.now_us)
        self.service.hub.join(self)
        await self.service.start()
        transport = httpx.ASGITransport(create_app(self.service, SignatureCheck(KEYS, wall_us)))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://creon")

    async def stop(self) -> None:
        self.terminal.faults.clear()
        self.terminal.release_notices()
        await self.client.aclose()
        await self.service.stop()
        self.service.store.close()

    async def restart(self) -> None:
        """The service alone: its COM objects die with it, its record and the venue stay."""
        await self.stop()
        self.terminal.subscribers.clear()
        await self.start()
        await self.connected()

    # --- what a stream would hear ---------------------------------------------------------------------------------

    def wants(self, key: str) -> bool:
        return True

    def send(self, message: Message, droppable: bool) -> None:
        self.heard.append(message)

    def fills_heard(self, provisional: bool) -> list[Json]:
        return [m["fill"] for m in self.heard if "fill" in m and m["fill"]["provisional"] is provisional]

    # --- asking ---------------------------------------------------------------------------------------------------

    async def call(self, method: str, target: str, body: Json | None = None, key: str = "trader") -> httpx.Response:
        data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = signed(method, target, data, key)
        if body is not None:
            headers["content-type"] = "application/json"
        return await self.client.request(method, target, content=data, headers=headers)

    async def get(self, target: str) -> Any:
        return (await self.call("GET", target)).json()["data"]

    async def place(self, client_order_id: str | None = None, **fields: Any) -> Json:
        response = await self.call("POST", "/api/v1/orders", self.order(client_order_id, **fields))
        assert response.status_code == 200, response.text
        data: Json = response.json()["data"]
        return data

    def order(self, client_order_id: str | None = None, **fields: Any) -> Json:
        now = self.terminal.clock.now_us()
        order = {
            "account": ACCOUNT,
            "clientOrderId": client_order_id or f"order-{next(self._ids)}",
            "instrument": KRX_SAMSUNG,
            "side": "buy",
            "type": "limit",
            "quantity": "10",
            "limitPrice": "70000",
            "intentTimeUs": now,
            "sendBeforeUs": now + 20_000_000,
            **fields,
        }
        return {name: value for name, value in order.items() if value is not None}

    async def cancel(self, client_order_id: str, cancel_id: str = "cancel-1", **fields: Any) -> Json:
        now = self.terminal.clock.now_us()
        values = {
            "account": ACCOUNT,
            "instrument": KRX_SAMSUNG,
            "cancelId": cancel_id,
            "intentTimeUs": now,
            "sendBeforeUs": now + 20_000_000,
            **fields,
        }
        query = "&".join(f"{name}={value}" for name, value in values.items())
        response = await self.call("DELETE", f"/api/v1/orders/{client_order_id}?{query}")
        assert response.status_code == 200, response.text
        data: Json = response.json()["data"]
        return data

    async def amend(self, client_order_id: str, amend_id: str, **fields: Any) -> httpx.Response:
        now = self.terminal.clock.now_us()
        body = {
            "account": ACCOUNT,
            "instrument": KRX_SAMSUNG,
            "amendId": amend_id,
            "intentTimeUs": now,
            "sendBeforeUs": now + 20_000_000,
            **fields,
        }
        return await self.call("PATCH", f"/api/v1/orders/{client_order_id}", body)

    async def query(self, client_order_id: str) -> httpx.Response:
        target = f"/api/v1/orders/{client_order_id}?account={ACCOUNT}&instrument={KRX_SAMSUNG}"
        return await self.call("GET", target)

    async def fills(self) -> list[Json]:
        found: list[Json] = await self.get(f"/api/v1/fills?account={ACCOUNT}")
        return found

    async def health(self) -> Json:
        found: Json = await self.get("/api/v1/health")
        return found

    async def connected(self) -> None:
        await until(lambda: self.service.session.state == "connected")

    # --- the venue ------------------------------------------------------------------------------------------------

    def print(self, price: int, quantity: int) -> None:
        with self.terminal.lock:
            self.terminal.exchange.print(SAMSUNG, price, quantity)

    def venue_orders(self, kind: str = "1") -> list[Any]:
        return [order for order in self.terminal.exchange.orders.values() if order.kind == kind]

    def move_to(self, hhmmss: int, day: int = DAY) -> None:
        assert isinstance(self.terminal.clock, ManualVenueClock)
        self.terminal.clock.move_to(at(day, hhmmss))


def signed(method: str, target: str, data: bytes, key: str = "trader", **fields: str) -> dict[str, str]:
    timestamp = fields.get("timestamp", str(wall_us()))
    nonce = fields.get("nonce", secrets.token_urlsafe(18))
    return {
        "x-jts-key": key,
        "x-jts-timestamp": timestamp,
        "x-jts-nonce": nonce,
        "x-jts-signature": signature_of(fields.get("secret", SECRET), method, target, data, timestamp, nonce),
    }


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "expected it to become true in time"
        await asyncio.sleep(0.01)


async def until_async(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "expected it to become true in time"
        await asyncio.sleep(0.03)


def scenario(
    hhmmss: int = 100000,
    day: int = DAY,
    connected: bool = True,
    exchange: Json | None = None,
    terminal: Json | None = None,
    **service: Any,
) -> Callable[[Callable[[World], Awaitable[None]]], Callable[[], None]]:
    """A test that runs in a started world."""

    def decorate(work: Callable[[World], Awaitable[None]]) -> Callable[[], None]:
        @wraps(work)
        def test() -> None:
            asyncio.run(_in_world(World(None, hhmmss, day, terminal or {}, exchange or {}, service), work, connected))

        # pytest asks for fixtures by the arguments that it finds.
        del test.__wrapped__
        return test

    return decorate


async def _in_world(world: World, work: Callable[[World], Awaitable[None]], connected: bool) -> None:
    await world.start()
    try:
        if connected:
            await world.connected()
        await work(world)
    finally:
        await world.stop()
        com.install(None)
