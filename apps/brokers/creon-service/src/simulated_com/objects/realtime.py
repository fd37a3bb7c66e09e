"""Realtime objects: StockCur (trades), StockJpBid (order book), CpConclusion (orders)."""

from __future__ import annotations

from typing import Any

from ..clock import kst
from ..market import Market, Tick
from ..orders import Notice
from .base import RealtimeObject
from .quotes import padded, snapshot

QUADS = (3, 7, 11, 15, 19, 27, 31, 35, 39, 43)


class StockCur(RealtimeObject):
    progid = "Dscbo1.StockCur"

    def headers_of_tick(self, market: Market, tick: Tick) -> dict[int, Any]:
        shot, moment = snapshot(market, tick.time_us), kst(tick.time_us)
        # The print that ends an auction is a trade; before it, 13 is only what is expected.
        expected = shot[58] == ord("1") and not tick.auction
        return {
            0: market.code,
            1: shot[1],
            2: tick.price - shot[10],
            3: moment.hour * 100 + moment.minute,
            4: shot[13],
            5: shot[14],
            6: shot[15],
            7: shot[16],
            8: shot[17],
            9: shot[18],
            10: shot[19],
            13: tick.price,
            14: ord("1" if tick.price >= shot[11] else "2"),
            15: 0,
            16: 0,
            17: tick.volume,
            18: moment.hour * 10_000 + moment.minute * 100 + moment.second,
            19: ord("1" if expected else "2"),
            20: shot[59],
            22: ord("2" if tick.price > shot[10] else "5" if tick.price < shot[10] else "3"),
            26: ord("1"),
        }


class StockJpBid(RealtimeObject):
    progid = "Dscbo1.StockJpBid"

    def headers_of_tick(self, market: Market, tick: Tick) -> dict[int, Any]:
        asks, bids = padded(market.book("buy")), padded(market.book("sell"))
        moment = kst(tick.time_us)
        header: dict[int, Any] = dict.fromkeys(range(69), 0)
        header |= {
            0: market.code,
            1: moment.hour * 100 + moment.minute,
            2: market.today.volume if market.today else 0,
            23: sum(quantity for _, quantity in asks),
            24: sum(quantity for _, quantity in bids),
        }
        for at, ask, bid in zip(QUADS, asks, bids, strict=True):
            header |= {at: ask[0], at + 1: bid[0], at + 2: ask[1], at + 3: bid[1]}
        return header


class CpConclusion(RealtimeObject):
    """One subscription for the whole login; not counted among the 400. Nothing is repeated after a reconnect."""

    progid = "Dscbo1.CpConclusion"
    counted = False

    def headers_of_notice(self, notice: Notice) -> dict[int, Any]:
        order = notice.order
        return {
            1: "홍길동",
            2: self._terminal.exchange.listings[order.code].name,
            3: notice.quantity,
            4: notice.price,
            5: order.number,
            6: order.original,
            7: order.account,
            8: order.goods,
            9: order.code,
            12: "1" if order.side == "sell" else "2",
            14: notice.flag,
            15: "00",
            16: order.kind,
            17: "1",
            18: order.price_type,
            19: order.condition,
            20: "",
            21: notice.book_price,
            22: notice.sellable,
            23: notice.holding,
        }
