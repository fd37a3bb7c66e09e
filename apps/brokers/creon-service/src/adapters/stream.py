"""One WebSocket of the stream: what it subscribes to, in order, with a number on each message."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from fastapi import WebSocket
from pydantic import ValidationError
from starlette.websockets import WebSocketDisconnect

from service import BROKER, CONTRACT_VERSION, CreonService
from stream_hub import Message

from . import messages as m
from .auth import Key
from .problems import ProblemError, to_bytes

HEARTBEAT_MS = 5000
ERRORS_MAX = 10
DROP_AT_BYTES = 1024 * 1024
CLOSE_AT_BYTES = 8 * 1024 * 1024
TOO_MANY_ERRORS, SLOW_CONSUMER, GOING_AWAY = 4400, 4408, 1001


async def serve_stream(socket: WebSocket, service: CreonService, own: Callable[[str, Key], None]) -> None:
    await socket.accept()
    connection = Connection(socket, service, own)
    service.hub.join(connection)
    try:
        await connection.run()
    finally:
        service.hub.leave(connection)
        await connection.forget()


class Connection:
    def __init__(self, socket: WebSocket, service: CreonService, own: Callable[[str, Key], None]) -> None:
        self._socket, self._service, self._own = socket, service, own
        self._key: Key = socket.scope["jts.key"]
        self._subscriptions: dict[str, m.Subscription] = {}
        self._outbox: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropping = False
        self._wake = asyncio.Event()
        self._too_slow = asyncio.Event()
        self._seq = 0
        self._errors = 0
        self._close: int | None = None

    # --- what the hub asks ----------------------------------------------------------------------------------------

    def wants(self, key: str) -> bool:
        if key.endswith(":*"):
            return any(held.startswith(key[:-1]) for held in self._subscriptions)
        return key in self._subscriptions

    def send(self, message: Message, droppable: bool) -> None:
        if droppable and self._waiting_bytes > DROP_AT_BYTES:
            self._dropping = True
            return
        if self._dropping:
            self._dropping = False
            for channel in sorted({key.split(":")[0] for key in self._subscriptions} - {"orders"}):
                self._put({"type": "gap", "channel": channel, "reason": "SLOW_CONSUMER"})
        self._put(message)

    def _put(self, message: Message) -> None:
        self._seq += 1
        self._outbox.append(to_bytes({"type": message["type"], "seq": self._seq, **message}))
        self._waiting_bytes += len(self._outbox[-1])
        if self._waiting_bytes > CLOSE_AT_BYTES:
            self._close = SLOW_CONSUMER
            self._too_slow.set()
        self._wake.set()

    # --- both directions ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self._put(
            {
                "type": "welcome",
                "contractVersion": CONTRACT_VERSION,
                "broker": BROKER,
                "heartbeatMs": HEARTBEAT_MS,
                "timeUs": self._service.now_us(),
            }
        )
        tasks = [asyncio.create_task(work()) for work in (self._write, self._read, self._beat, self._watch_waiting)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # It may be gone already.
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
            await asyncio.wait_for(self._socket.close(self._close or GOING_AWAY), 5)

    async def _write(self) -> None:
        while True:
            while self._outbox:
                message = self._outbox.popleft()
                await self._socket.send_text(message.decode())
                self._waiting_bytes -= len(message)
            if self._close is not None:
                return
            await self._wake.wait()
            self._wake.clear()

    async def _watch_waiting(self) -> None:
        """A client that does not read keeps the writer waiting: it is closed all the same."""
        await self._too_slow.wait()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_MS / 1000)
            self._put(
                {
                    "type": "heartbeat",
                    "timeUs": self._service.now_us(),
                    "venueTimeUs": self._service.venue_now_us(),
                }
            )

    async def _read(self) -> None:
        while self._close is None:
            try:
                frame = await self._socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if frame["type"] == "websocket.disconnect":
                return
            await self._handle(frame.get("text"))

    async def _handle(self, text: str | None) -> None:
        message_id: str | None = None
        try:
            raw = _parsed(text)
            given = raw.get("id")
            message_id = given if isinstance(given, str) and 0 < len(given) <= 64 else None
            await self._obey(raw)
        except ProblemError as problem:
            error: Message = {"type": "error", "problem": problem.document()}
            self._put(error if message_id is None else {**error, "id": message_id})
            if problem.code == "INVALID_REQUEST":
                self._errors += 1
                if self._errors >= ERRORS_MAX:
                    self._close = TOO_MANY_ERRORS
                    self._wake.set()

    async def _obey(self, raw: dict[str, Any]) -> None:
        if raw.get("op") == "ping":
            ping = _as(m.PingMessage, raw)
            self._put({"type": "pong", "id": ping.id, "timeUs": self._service.now_us()})
            return
        message = _as(m.SubscribeMessage, raw)
        if message.op == "subscribe":
            await self._subscribe(message.id, message.subscription)
        else:
            await self._unsubscribe(message.id, message.subscription)

    async def _subscribe(self, message_id: str, subscription: m.Subscription) -> None:
        from .http import problem_of

        key = _key(subscription)
        shown = subscription.model_dump(by_alias=True, exclude_none=True)
        answered: Message = {"type": "subscribed", "id": message_id, "subscription": shown}
        if isinstance(subscription, m.OrdersSubscription):
            self._own(subscription.account, self._key)
            self._subscribe_to_orders(key, answered, subscription.after)
            return
        timeframe = subscription.timeframe if isinstance(subscription, m.CandlesSubscription) else None
        if timeframe is not None and timeframe not in self._service.capabilities([])["timeframes"]:
            raise ProblemError("NOT_SUPPORTED", f"expected a timeframe of the capabilities, found {timeframe}")
        if key not in self._subscriptions:
            try:
                await self._service.market.watch(subscription.channel, subscription.instrument, timeframe)
            except Exception as error:
                raise problem_of(error) from error
            self._subscriptions[key] = subscription
        self._put(answered)
        self._tell_if_down(subscription.channel)

    def _subscribe_to_orders(self, key: str, answered: Message, after: str | None) -> None:
        hub = self._service.hub
        if key in self._subscriptions:
            self._put({**answered, "cursor": hub.cursor})
            return
        missed = None if after is None else hub.after(after)
        known = after is not None and missed is not None
        self._put({**answered, "cursor": after if known else hub.cursor})
        self._subscriptions[key] = m.OrdersSubscription(channel="orders", account=hub_account(self._service))
        if after is not None and not known:
            gap = {"type": "gap", "channel": "orders", "account": hub_account(self._service)}
            self._put({**gap, "reason": "CURSOR_UNKNOWN", "cursor": hub.cursor})
        for message in missed or []:
            self._put(message)
        self._tell_if_down("orders")

    async def _unsubscribe(self, message_id: str, subscription: m.Subscription) -> None:
        held = self._subscriptions.pop(_key(subscription), None)
        if held is not None:
            await self._release(held)
        shown = subscription.model_dump(by_alias=True, exclude_none=True)
        self._put({"type": "unsubscribed", "id": message_id, "subscription": shown})

    def _tell_if_down(self, channel: str) -> None:
        reason = self._service.hub.down.get(channel)
        if reason is None:
            return
        state: Message = {"type": "state", "channel": channel, "state": "down", "reason": reason}
        if channel == "orders":
            state["account"] = hub_account(self._service)
        self._put({**state, "timeUs": self._service.now_us()})

    async def _release(self, subscription: m.Subscription) -> None:
        if isinstance(subscription, m.OrdersSubscription):
            return
        timeframe = subscription.timeframe if isinstance(subscription, m.CandlesSubscription) else None
        await self._service.market.unwatch(subscription.channel, subscription.instrument, timeframe)

    async def forget(self) -> None:
        held, self._subscriptions = list(self._subscriptions.values()), {}
        for subscription in held:
            await self._release(subscription)


def hub_account(service: CreonService) -> str:
    return service.options.account


def _key(subscription: m.Subscription) -> str:
    if isinstance(subscription, m.OrdersSubscription):
        return "orders"
    if isinstance(subscription, m.CandlesSubscription):
        return f"candles:{subscription.instrument}:{subscription.timeframe}"
    return f"{subscription.channel}:{subscription.instrument}"


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        raw = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise ProblemError("INVALID_REQUEST", "expected a JSON object in a text frame")
    return raw


def _as(model: type[Any], raw: dict[str, Any]) -> Any:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        raise ProblemError("INVALID_REQUEST", f"{where}: {first['msg'][:200]}") from None
