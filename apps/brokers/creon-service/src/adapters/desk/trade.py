"""CpTrade: orders are written once, and what the broker says of orders and of the account is read."""

from __future__ import annotations

from typing import Any

from domain.matching import PRICE_TYPE
from domain.words import Placement, Side, VenueOrder

from ..com import hresult_of
from ..errors import (
    NOTHING_SENT,
    NotSentError,
    RejectedError,
    UnavailableError,
    UnknownOutcomeError,
    UnreadableError,
    reject_code,
)
from ..reading import integer, natural, number_text, one_of, side_of, stock_code, text
from .objects import ComObjects
from .rows import Balance, BuyingPower, HoldingRow

SIDE_CODE: dict[Side, str] = {"sell": "1", "buy": "2"}
CONDITION = {"day": "0", "ioc": "1", "fok": "2"}
PAGE = 20


class TradeDesk:
    def __init__(self, objects: ComObjects) -> None:
        self._objects = objects
        self.account, self.goods = "", ""

    # --- the session ----------------------------------------------------------------------------------------------

    def open_trading(self, account: str | None, goods: str) -> None:
        """Once in each session, before any object of CpTrade; asks for nothing if the password is kept in the tray."""
        util = self._objects.kept("CpTrade.CpTdUtil")
        code = integer(util.TradeInit(0), "TradeInit")
        if code != 0:
            words = {-1: "an error", 1: "a wrong key", 2: "a wrong account password", 3: "cancelled by a person"}
            raise UnavailableError(f"expected TradeInit to return 0, found {code} ({words.get(code, 'unknown')})")
        accounts = [text(one, "AccountNumber") for one in util.AccountNumber]
        chosen = account or (accounts[0] if accounts else "")
        if chosen not in accounts:
            # Account numbers are secrets: neither is named.
            raise UnavailableError(f"expected the configured account among the {len(accounts)} of this login")
        self.account, self.goods = chosen, goods

    # --- orders ---------------------------------------------------------------------------------------------------

    def place(self, order: Placement) -> int:
        sent = self._send(
            "CpTrade.CpTd0311",
            {
                0: SIDE_CODE[order.side],
                1: self.account,
                2: self.goods,
                3: order.code,
                4: order.quantity,
                5: order.limit_price or 0,
                7: CONDITION[order.time_in_force],
                8: PRICE_TYPE[order.type],
            },
        )
        return self._number(sent, 8)

    def cancel(self, number: int, code: str) -> int:
        inputs = {1: number, 2: self.account, 3: self.goods, 4: code, 5: 0}
        return self._number(self._send("CpTrade.CpTd0314", inputs), 6)

    def modify(self, number: int, code: str, quantity: int, price: int) -> int:
        inputs = {1: number, 2: self.account, 3: self.goods, 4: code, 5: quantity, 6: price}
        return self._number(self._send("CpTrade.CpTd0313", inputs), 7)

    def _send(self, progid: str, inputs: dict[int, Any]) -> Any:
        """Writes an order once. Whatever is not a clear answer after the call is unknown."""
        try:
            asked = self._objects.kept(progid)
            for index, value in inputs.items():
                asked.SetInputValue(index, value)
        except Exception as error:
            raise NotSentError("BROKER_UNAVAILABLE", f"{progid} could not be made ready: {error}") from error
        try:
            code = asked.BlockRequest()
        except Exception as error:
            if hresult_of(error) in NOTHING_SENT:
                raise NotSentError("BROKER_UNAVAILABLE", f"{progid} has no session: {error}") from error
            raise UnknownOutcomeError(f"{progid} broke off: {error}") from error
        if code == 4:
            raise NotSentError("RATE_BUDGET", f"{progid} returned 4: Creon's own request limit; nothing was sent")
        if code == 2:
            raise RejectedError("REJECTED", "cancelled in the confirmation window")
        if code != 0:
            raise UnknownOutcomeError(f"{progid} returned {code!r}: {self._objects.words(asked)}")
        try:
            status = asked.GetDibStatus()
        except Exception as error:
            raise UnknownOutcomeError(f"{progid} tells no status: {error}") from error
        if status != 0:
            words = self._objects.words(asked)
            if status == -1 and words:
                raise RejectedError(reject_code(words), words)
            raise UnknownOutcomeError(f"{progid} has status {status!r}: {words}")
        return asked

    def _number(self, sent: Any, index: int) -> int:
        try:
            number = number_text(sent.GetHeaderValue(index), "the order number")
        except Exception as error:
            raise UnknownOutcomeError(f"sent, and no order number: {error}") from error
        if number == 0:
            raise UnknownOutcomeError("sent, and the order number is 0")
        return number

    def today_orders(self, start: int, first_page: bool) -> tuple[list[VenueOrder], bool]:
        """A page of today's orders from `start` on, oldest first, a row for each price; and whether there is more."""
        asked = self._objects.ask(
            "CpTrade.CpTd5341",
            {0: self.account, 1: self.goods, 2: "", 3: start, 4: ord("0"), 5: PAGE, 6: ord("1")},
            first_page,
        )
        value = asked.GetDataValue
        rows = [
            VenueOrder(
                number=number_text(value(1, row), "order number"),
                original=number_text(value(2, row), "original number"),
                code=stock_code(value(3, row), "code"),
                side=side_of(value(35, row)),
                quantity=natural(value(7, row), "order quantity"),
                price=natural(value(8, row), "order price"),
                price_type=text(value(34, row), "price type"),
                kind=one_of(value(36, row), "123", "kind of order"),
                filled=natural(value(9, row), "total filled"),
                leaves=natural(value(22, row), "modifiable quantity"),
                confirmed=natural(value(12, row), "confirmed quantity"),
                reason=text(value(14, row), "reject reason"),
                prices={natural(value(11, row), "fill price"): natural(value(10, row), "filled")},
            )
            for row in range(natural(asked.GetHeaderValue(6), "row count"))
        ]
        return rows, bool(asked.Continue)

    # --- the account ----------------------------------------------------------------------------------------------

    def balance_page(self, first_page: bool) -> tuple[Balance, bool]:
        asked = self._objects.ask("CpTrade.CpTd6033", {0: self.account, 1: self.goods, 2: 50}, first_page)
        value = asked.GetDataValue
        holdings = []
        for row in range(natural(asked.GetHeaderValue(7), "row count")):
            quantity = natural(value(7, row), "holding")
            book_price = value(17, row)
            if not isinstance(book_price, (int, float)):
                raise UnreadableError(f"expected a number as book price, found {book_price!r}")
            holdings.append(
                HoldingRow(
                    stock_code(value(12, row), "code"),
                    quantity,
                    natural(value(15, row), "sellable"),
                    round(book_price * quantity),
                )
            )
        return Balance(integer(asked.GetHeaderValue(9), "D+2 cash"), tuple(holdings)), bool(asked.Continue)

    def buying_power(self, code: str) -> BuyingPower:
        inputs = {0: self.account, 1: self.goods, 2: code, 3: "01", 4: 0, 5: "Y", 6: ord("1")}
        asked = self._objects.ask("CpTrade.CpTdNew5331A", inputs, True)
        return BuyingPower(
            integer(asked.GetHeaderValue(10), "cash orderable amount"), integer(asked.GetHeaderValue(45), "deposit")
        )
