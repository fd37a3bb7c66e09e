"""Realtime objects: what Creon tells unasked, for as long as the session of its subscription."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.words import Notice

from ..com import ComModule
from ..errors import UnavailableError
from ..reading import code_or_text, natural, number_text, one_of, side_of, stock_code, text
from .rows import Levels, Tick, filled


@dataclass
class DeskEvents:
    """Called on the COM thread; each only hands over."""

    on_notice: Callable[[Notice], None]
    on_unreadable: Callable[[str], None]
    on_disconnect: Callable[[], None]
    on_tick: Callable[[Tick], None]
    on_book: Callable[[str, Levels, Levels], None]


class Realtime:
    def __init__(self, com: ComModule, events: DeskEvents) -> None:
        self._com = com
        self._events = events
        self._subscribers: dict[tuple[str, str], Any] = {}

    def forget(self) -> None:
        """What still lives would be told twice once it is subscribed anew; of a run that is gone it only fails."""
        for subscriber in self._subscribers.values():
            with contextlib.suppress(Exception):
                subscriber.Unsubscribe()
        self._subscribers.clear()

    def listen_to_orders(self) -> None:
        events = self._events

        class Handler:
            def OnReceived(self: Any) -> None:
                try:
                    notice = read_notice(self.GetHeaderValue)
                except Exception as error:
                    events.on_unreadable(f"CpConclusion: {error}")
                else:
                    events.on_notice(notice)

        self._subscribe("Dscbo1.CpConclusion", "", Handler)

    def watch_trades(self, code: str) -> None:
        events = self._events

        class Handler:
            def OnReceived(self: Any) -> None:
                try:
                    tick = read_tick(self.GetHeaderValue)
                except Exception as error:
                    events.on_unreadable(f"StockCur: {error}")
                else:
                    events.on_tick(tick)

        self._subscribe("Dscbo1.StockCur", code, Handler)

    def watch_book(self, code: str) -> None:
        events = self._events

        class Handler:
            def OnReceived(self: Any) -> None:
                try:
                    bids, asks = read_book(self.GetHeaderValue)
                except Exception as error:
                    events.on_unreadable(f"StockJpBid: {error}")
                else:
                    events.on_book(code, bids, asks)

        self._subscribe("Dscbo1.StockJpBid", code, Handler)

    def unwatch(self, progid: str, code: str) -> None:
        subscriber = self._subscribers.pop((progid, code), None)
        if subscriber is not None:
            subscriber.Unsubscribe()

    def _subscribe(self, progid: str, code: str, handler: type) -> None:
        if (progid, code) in self._subscribers:
            return
        try:
            subscriber = self._com.DispatchWithEvents(progid, handler)
            if code:
                subscriber.SetInputValue(0, code)
            subscriber.Subscribe()
        except Exception as error:
            raise UnavailableError(f"{progid} could not be subscribed: {error}") from error
        self._subscribers[(progid, code)] = subscriber


def read_notice(value: Callable[[int], Any]) -> Notice:
    return Notice(
        flag=one_of(value(14), "1234", "kind of notice"),
        kind=one_of(value(16), "123", "kind of order"),
        number=number_text(value(5), "order number"),
        original=number_text(value(6), "original number"),
        code=stock_code(value(9), "code"),
        side=side_of(value(12)),
        quantity=natural(value(3), "quantity"),
        price=natural(value(4), "price"),
        price_type=text(value(18), "price type"),
        holding=natural(value(23), "balance quantity"),
    )


def read_tick(value: Callable[[int], Any]) -> Tick:
    return Tick(
        code=stock_code(value(0), "code"),
        price=natural(value(13), "price"),
        quantity=natural(value(17), "tick volume"),
        volume=natural(value(9), "cumulative volume"),
        ask=natural(value(7), "ask"),
        bid=natural(value(8), "bid"),
        # In an auction 13 is what is expected, not a trade.
        expected=code_or_text(value(19), "expected flag") == "1",
        session=code_or_text(value(20), "session"),
        # By price, as 15 and 16 count it.
        aggressor="sell" if code_or_text(value(14), "trade state") == "2" else "buy",
    )


def read_book(value: Callable[[int], Any]) -> tuple[Levels, Levels]:
    """Quads of ask, bid, ask quantity, bid quantity; between level 5 and 6 stand the totals."""
    asks, bids = [], []
    for at in (3, 7, 11, 15, 19, 27, 31, 35, 39, 43):
        ask, bid, ask_quantity, bid_quantity = (natural(value(at + k), f"header {at + k}") for k in range(4))
        asks.append((ask, ask_quantity))
        bids.append((bid, bid_quantity))
    return filled(bids), filled(asks)
