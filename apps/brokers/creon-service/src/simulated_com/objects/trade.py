"""Trade objects: orders, their changes, today's orders and fills, balance, buying power. All need `TradeInit`."""

from __future__ import annotations

from typing import Any, cast

from ..clock import date_of
from ..limits import TRADE
from ..orders import MARKET, PRICE_TYPES, Order, Refused, Side
from .base import CANCELLED, Answer, ComObject, RequestObject

SIDE_CODE = {"sell": "1", "buy": "2"}
SIDE_TEXT = {"sell": "매도", "buy": "매수"}
KIND_TEXT = {"1": "정상주문", "2": "정정주문", "3": "취소주문"}


class CpTdUtil(ComObject):
    progid = "CpTrade.CpTdUtil"

    def TradeInit(self, option: int = 0) -> int:
        self._enter("TradeInit")
        self._terminal.require_connection()
        self._terminal.trade_ready = True
        return 0

    @property
    def AccountNumber(self) -> tuple[str, ...]:
        self._enter("AccountNumber")
        return (self._terminal.options.exchange.account,)

    def GoodsList(self, account: str, filter: int) -> tuple[str, ...]:
        self._enter("GoodsList")
        return (self._terminal.options.exchange.goods,) if account in self.AccountNumber else ()


class _Trade(RequestObject):
    kind = TRADE

    def _account(self, account_at: int, goods_at: int) -> None:
        options = self._terminal.exchange.options
        if self._text(account_at) != options.account:
            raise Refused("계좌번호가 올바르지 않습니다")
        if self._text(goods_at) != options.goods:
            raise Refused("상품관리구분코드가 올바르지 않습니다")

    def _side(self, index: int) -> Side:
        side = {"1": "sell", "2": "buy"}.get(self._text(index))
        if side is None:
            raise Refused("매매구분을 확인하십시오")
        return cast(Side, side)


class _Ordering(_Trade):
    """What moves an order: the confirmation window, a reply that is lost, a death before it."""

    def _request(self) -> int:
        faults = self._terminal.faults
        if faults.take("popup", self.progid):
            faults.popup_open.set()
            self._wait_for_release()
            faults.popup_open.clear()
            if faults.popup_answer == "cancel":
                return self._fail(CANCELLED, "사용자가 주문을 취소하였습니다")
        if faults.take("lost-before-accept", self.progid):
            return self._fail(1, "통신 장애가 발생하였습니다")
        code = super()._request()
        if code == 0 and self._status == 0:
            self._terminal.exchange.crash_if_asked()
            if faults.take("lost-after-accept", self.progid):
                return self._fail(1, "통신 장애가 발생하였습니다")
        return code


class CpTd0311(_Ordering):
    progid = "CpTrade.CpTd0311"

    def answer(self) -> Answer:
        self._account(1, 2)
        order = self._terminal.exchange.place(
            self._text(3),
            self._side(0),
            self._number(4),
            self._number(5),
            self._text(8, "01") or "01",
            self._text(7, "0") or "0",
        )
        return Answer(
            {
                0: self._text(0),
                1: order.account,
                2: order.goods,
                3: order.code,
                4: order.quantity,
                5: order.price,
                6: "00",
                8: order.number,
                9: "홍길동",
                10: self._terminal.exchange.listings[order.code].name,
                12: order.condition,
                13: order.price_type,
            }
        )


class CpTd0313(_Ordering):
    """Another price."""

    progid = "CpTrade.CpTd0313"
    number_at = 7

    def answer(self) -> Answer:
        self._account(2, 3)
        order = self._terminal.exchange.modify(
            self._number(1), self._text(4), self._number(5), self._number(6), self._price_type(), self._condition()
        )
        return Answer(
            {1: order.original, 4: order.code, self.number_at: order.number, 13: order.condition, 14: order.price_type}
        )

    def _price_type(self) -> str | None:
        return None

    def _condition(self) -> str | None:
        return None


class CpTd0303(CpTd0313):
    """Another type of price."""

    progid = "CpTrade.CpTd0303"
    number_at = 8

    def _price_type(self) -> str | None:
        return self._text(9, "01")

    def _condition(self) -> str | None:
        return self._text(8, "0")


class CpTd0314(_Ordering):
    progid = "CpTrade.CpTd0314"

    def answer(self) -> Answer:
        self._account(2, 3)
        order = self._terminal.exchange.cancel(self._number(1), self._text(4), self._number(5))
        name = self._terminal.exchange.listings[order.code].name
        return Answer({1: order.original, 4: order.code, 6: order.number, 7: "홍길동", 8: name})


class CpTd0322(_Ordering):
    """After-hours order at today's close."""

    progid = "CpTrade.CpTd0322"

    def answer(self) -> Answer:
        self._account(1, 2)
        order = self._terminal.exchange.place(self._text(3), self._side(0), self._number(4), 0, book="after_close")
        return Answer({5: order.number})


class CpTd0386(_Ordering):
    """After-hours single price."""

    progid = "CpTrade.CpTd0386"

    def answer(self) -> Answer:
        self._account(1, 2)
        order = self._terminal.exchange.place(
            self._text(3), self._side(0), self._number(4), self._number(5), book="single_price"
        )
        return Answer({6: order.number})


class CpTd0326(CpTd0314):
    progid = "CpTrade.CpTd0326"


class CpTd0387(CpTd0314):
    progid = "CpTrade.CpTd0387"


class CpTd0389(CpTd0313):
    progid = "CpTrade.CpTd0389"


class CpTd5339(_Trade):
    """Orders that can still be changed or cancelled."""

    progid = "CpTrade.CpTd5339"

    def answer(self) -> Answer:
        self._account(0, 1)
        exchange = self._terminal.exchange
        exchange.advance()
        code = self._text(3)
        orders = [order for order in exchange.today() if order.leaves > 0 and code in ("", order.code)]
        if self._text(5, "0") == "1":
            orders.reverse()
        return Answer({}, [self._row(order) for order in orders], count_at=5, page=_page(self._number(7, 20)))

    def _row(self, order: Order) -> list[Any]:
        exchange = self._terminal.exchange
        row: list[Any] = [""] * 29
        row[1], row[2], row[3] = order.number, order.original, order.code
        row[4] = exchange.listings[order.code].name
        row[5] = f"{KIND_TEXT[order.kind]} {SIDE_TEXT[order.side]}"
        row[6], row[7], row[8] = order.quantity, order.price, order.filled
        row[9], row[11], row[13] = "현금", order.leaves, SIDE_CODE[order.side]
        row[18], row[19], row[21] = order.media, PRICE_TYPES[order.price_type], order.price_type
        row[22], row[24] = "1", "1"
        row[27] = order.confirmed if order.kind == "2" else 0
        row[28] = order.confirmed if order.kind != "2" else 0
        return row


class CpTd5341(_Trade):
    """Today's orders and fills: '1' a row per price, '2' a row per event, '3' a row per order."""

    progid = "CpTrade.CpTd5341"

    def answer(self) -> Answer:
        self._account(0, 1)
        exchange = self._terminal.exchange
        exchange.advance()
        code, start, kind = self._text(2), self._number(3), self._char(6, "2")
        orders = [order for order in exchange.today() if code in ("", order.code)]
        newest_first = self._char(4, "1") == "1"
        if newest_first:
            orders.reverse()
        if start:
            orders = [order for order in orders if (order.number <= start if newest_first else order.number >= start)]
        rows = [row for order in orders for row in self._rows_of(order, kind)]
        return Answer({}, rows, count_at=6, page=_page(self._number(5, 7)))

    def _rows_of(self, order: Order, kind: str) -> list[list[Any]]:
        fills = [(fill.quantity, fill.price) for fill in self._terminal.exchange.fills_of(order)]
        if kind == "1":
            prices = list(dict.fromkeys(price for _, price in fills))
            fills = [(sum(quantity for quantity, at in fills if at == price), price) for price in prices]
        elif kind == "3" and fills:
            amount = sum(quantity * price for quantity, price in fills)
            fills = [(order.filled, amount // order.filled)]
        return [self._row(order, quantity, price) for quantity, price in fills or [(0, 0)]]

    def _row(self, order: Order, quantity: int, price: int) -> list[Any]:
        row: list[Any] = [""] * 37
        row[0], row[1], row[2], row[3] = order.goods, order.number, order.original, order.code
        row[4] = self._terminal.exchange.listings[order.code].name
        row[5] = f"{SIDE_TEXT[order.side]} {KIND_TEXT[order.kind]}"
        row[6], row[7], row[8] = PRICE_TYPES[order.price_type], order.quantity, order.price
        row[9], row[10], row[11], row[12] = order.filled, quantity, price, order.confirmed
        row[13], row[14] = KIND_TEXT[order.kind], order.reason
        row[18], row[19], row[22] = "현금", order.media, order.leaves
        row[24], row[28] = SIDE_TEXT[order.side], order.reason
        row[29], row[31] = "1", "1"
        row[34], row[35], row[36] = order.price_type, SIDE_CODE[order.side], order.kind
        return row


class CpTd6033(_Trade):
    """The balance. Amounts are floored to thousands of won; rows of what was sold stay until settlement."""

    progid = "CpTrade.CpTd6033"

    def answer(self) -> Answer:
        self._account(0, 1)
        exchange = self._terminal.exchange
        exchange.advance()
        today = date_of(self._terminal.clock.now_us())
        rows, value, cost = [], 0, 0
        for code, held in sorted(exchange.ledger.holdings.items()):
            fresh = held.day == today
            if held.quantity == 0 and not (fresh and (held.sold_today or held.bought_today)):
                continue
            last = exchange.market_now(code).last()
            value += held.quantity * last
            cost += held.cost
            row: list[Any] = [""] * 19
            row[0] = exchange.listings[code].name
            row[1], row[2] = ord(" "), ""
            settled = held.quantity - (held.bought_today - held.sold_today if fresh else 0)
            row[3], row[4], row[5], row[6] = settled, 0, 0, (held.bought_today - held.sold_today if fresh else 0)
            row[7] = held.quantity
            row[9] = held.quantity * last // 1000 * 1000
            row[10] = (held.quantity * last - held.cost) // 1000 * 1000
            row[11] = 0.0
            row[12], row[13] = code, ord(" ")
            row[15] = exchange.sellable(code)
            row[17] = held.cost / held.quantity if held.quantity else 0.0
            row[18] = 0
            rows.append(row)
        header = {
            0: "홍길동",
            1: 0,
            2: 0,
            3: (exchange.ledger.cash_in_the_end() + value) // 1000 * 1000,
            4: (value - cost) // 1000 * 1000,
            6: 0,
            8: 0.0,
            9: exchange.ledger.cash_in_the_end(),
            10: 0,
            11: value,
            12: 0,
        }
        return Answer(header, rows, count_at=7, page=min(50, max(1, self._number(2, 14))))


class CpTdNew5331A(_Trade):
    """Buying power."""

    progid = "CpTrade.CpTdNew5331A"

    def answer(self) -> Answer:
        self._account(0, 1)
        exchange = self._terminal.exchange
        exchange.advance()
        code = self._text(2)
        market = exchange.market_now(code)
        cash = max(0, exchange.orderable())
        price = market.limits()[0] if self._text(3, "01") == MARKET else self._number(4)
        quantity = cash // (price + price * exchange.ledger.fee_ppm // 1_000_000 + 1) if price > 0 else 0
        header: dict[int, Any] = {
            0: code,
            1: exchange.listings[code].name,
            2: ord("4"),
            **{index: cash for index in range(3, 11)},
            **{index: quantity for index in range(11, 19)},
            34: exchange.sellable(code),
            45: exchange.ledger.cash_by(date_of(self._terminal.clock.now_us())),
            46: 0,
            47: cash,
        }
        return Answer(header)


class CpTdNew5331B(_Trade):
    """Sellable shares."""

    progid = "CpTrade.CpTdNew5331B"

    def answer(self) -> Answer:
        self._account(0, 1)
        exchange = self._terminal.exchange
        exchange.advance()
        wanted = self._text(2)
        codes = [wanted] if wanted else sorted(exchange.ledger.holdings)
        rows = [
            [code, exchange.listings[code].name, exchange.sellable(code)] for code in codes if code in exchange.listings
        ]
        return Answer({}, rows, count_at=0, page=20)


class CpTd0732(_Trade):
    """Cash by its day of settlement: today's deposit, and what comes on the next two."""

    progid = "CpTrade.CpTd0732"

    def answer(self) -> Answer:
        self._account(0, 1)
        exchange = self._terminal.exchange
        exchange.advance()
        today = date_of(self._terminal.clock.now_us())
        return Answer({3: exchange.ledger.cash_by(today), 4: 0})


def _page(count: int) -> int:
    return min(20, max(1, count))
