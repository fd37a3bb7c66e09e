"""What streams tell: order events with their places in the record, market data, states and gaps. Event loop only."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

Message = dict[str, Any]
EVENTS_KEPT = 20_000


class Listener(Protocol):
    """One connection."""

    def wants(self, key: str) -> bool: ...
    def send(self, message: Message, droppable: bool) -> None: ...


class StreamHub:
    def __init__(self, account: str, now_us: Callable[[], int]) -> None:
        self._account, self._now_us = account, now_us
        self._record = secrets.token_hex(4)
        self._count = 0
        self._events: deque[tuple[int, Message]] = deque(maxlen=EVENTS_KEPT)
        self._listeners: set[Listener] = set()
        # Channel -> reason while it is down.
        self.down: dict[str, str] = {}
        self.since_us: dict[str, int] = {}

    def join(self, listener: Listener) -> None:
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    @property
    def cursor(self) -> str:
        return f"{self._record}.{self._count}"

    def after(self, cursor: str) -> list[Message] | None:
        """Events after that place, or None if the record does not reach there."""
        record, _, place = cursor.partition(".")
        if record != self._record or not place.isdigit() or int(place) > self._count:
            return None
        first = self._events[0][0] if self._events else self._count + 1
        if int(place) < first - 1:
            return None
        return [message for count, message in self._events if count > int(place)]

    def order_event(self, message: Message) -> None:
        """`message` is an `order` or `balances` without its place."""
        self._count += 1
        placed = {**message, "account": self._account, "cursor": self.cursor}
        self._events.append((self._count, placed))
        self._tell("orders", placed, droppable=False)

    def market(self, channel: str, key: str, message: Message) -> None:
        self._tell(f"{channel}:{key}", message, droppable=True)

    def set_state(self, channel: str, up: bool, reason: str) -> None:
        if up == (channel not in self.down):
            return
        now = self._now_us()
        self.since_us[channel] = now
        scope = {"account": self._account} if channel == "orders" else {}
        if up:
            # Between down and up something may be missing: said before what comes after.
            self.down.pop(channel, None)
            gap = {"type": "gap", "channel": channel, **scope, "reason": "VENUE_STREAM_LOST"}
            self._tell_channel(channel, {**gap, "cursor": self.cursor} if channel == "orders" else gap)
        else:
            self.down[channel] = reason
        state = {
            "type": "state",
            "channel": channel,
            **scope,
            "state": "up" if up else "down",
            "reason": reason,
            "timeUs": now,
        }
        self._tell_channel(channel, state)

    def unreadable(self, channel: str) -> None:
        scope = {"account": self._account, "cursor": self.cursor} if channel == "orders" else {}
        self._tell_channel(channel, {"type": "gap", "channel": channel, **scope, "reason": "UNREADABLE"})

    def _tell_channel(self, channel: str, message: Message) -> None:
        for listener in list(self._listeners):
            if listener.wants(channel) or any(listener.wants(key) for key in (f"{channel}:*",)):
                listener.send(message, False)

    def _tell(self, key: str, message: Message, droppable: bool) -> None:
        for listener in list(self._listeners):
            if listener.wants(key):
                listener.send(message, droppable)
