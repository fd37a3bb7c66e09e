"""Every COM object of the service, used on its one thread only. The indices are those of Creon's help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from domain.candles import MINUTES, ChartRow
from domain.matching import PRICE_TYPE
from domain.words import Kind, Notice, Placement, Side, VenueOrder

from .com import ComModule, hresult_of
from .errors import (
    NOTHING_SENT,
    BudgetError,
    NotSentError,
    RejectedError,
    UnavailableError,
    UnknownOutcomeError,
    UnreadableError,
    reject_code,
)
from .reading import code_or_text, integer, natural, number_text, stock_code, text

SIDES: dict[str, Side] = {"1": "sell", "2": "buy"}
SIDE_CODE: dict[Side, str] = {"sell": "1", "buy": "2"}
CONDITION = {"day": "0", "ioc": "1", "fok": "2"}
PAGE = 20
CHART_FIELDS = [0, 1, 2, 3, 4, 5, 8]
REGULAR_HOURS_ONLY = ord("3")

# What trades like a share, and what else has rules of its own (creon.md 4.3); the rest is not for this service.
KIND_OF_SECTION: dict[int, Kind] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 13), "stock"),
    **dict.fromkeys((10, 12), "etf"),
    17: "etn",
    9: "elw",
}


@dataclass(frozen=True)
class Listing:
    code: str
    name: str
    market: str
    kind: Kind
    control: int
    supervised: bool
    status: int
    lot: int
    upper: int
    lower: int
    tick: int


@dataclass(frozen=True)
class BuyingPower:
    orderable: int
    # 예수금: what has been settled.
    deposit: int


@dataclass(frozen=True)
class Standing:
    control: int
    supervised: bool
    halted: bool


@dataclass(frozen=True)
class QuoteRow:
    code: str
    last: int
    ask: int
    bid: int
    ask_quantity: int
    bid_quantity: int
    volume: int
    previous_close: int
    upper: int
    lower: int
    session: str
    expected: int


@dataclass(frozen=True)
class HoldingRow:
    code: str
    quantity: int
    sellable: int
    cost: int


@dataclass(frozen=True)
class Balance:
    cash_in_two_days: int
    holdings: tuple[HoldingRow, ...]


@dataclass(frozen=True)
class Tick:
    code: str
    price: int
    quantity: int
    volume: int
    ask: int
    bid: int
    expected: bool
    session: str
    aggressor: Side


Levels = list[tuple[int, int]]


@dataclass
class DeskEvents:
    """Called on the COM thread; each only hands over."""

    on_notice: Callable[[Notice], None]
    on_unreadable: Callable[[str], None]
    on_disconnect: Callable[[], None]
    on_tick: Callable[[Tick], None]
    on_book: Callable[[str, Levels, Levels], None]


class Desk:
    def __init__(self, com: ComModule, events: DeskEvents) -> None:
        self._com = com
        self._events = events
        self._objects: dict[str, Any] = {}
        self._subscribers: dict[tuple[str, str], Any] = {}
        self.account, self.goods = "", ""

    # --- the session ----------------------------------------------------------------------------------------------

    def is_connected(self) -> bool:
        return bool(integer(self._watched_cybos().IsConnect, "IsConnect") == 1)

    def forget(self) -> None:
        """The objects of an earlier run of the HTS are dead: everything is made anew."""
        self._objects.clear()
        self._subscribers.clear()

    def open_trading(self, account: str | None, goods: str) -> None:
        """Once in each session, before any object of CpTrade; asks for nothing if the password is kept in the tray."""
        util = self._object("CpTrade.CpTdUtil")
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

    def _watched_cybos(self) -> Any:
        events = self._events

        class Handler:
            def OnDisConnect(self) -> None:
                events.on_disconnect()

            OnDisconnect = OnDisConnect

        if "CpUtil.CpCybos" not in self._objects:
            self._objects["CpUtil.CpCybos"] = self._com.DispatchWithEvents("CpUtil.CpCybos", Handler)
        return self._objects["CpUtil.CpCybos"]

    def limit_reset_us(self) -> int:
        return natural(self._watched_cybos().LimitRequestRemainTime, "LimitRequestRemainTime") * 1000

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
            asked = self._object(progid)
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
            raise UnknownOutcomeError(f"{progid} returned {code!r}: {self._words(asked)}")
        try:
            status = asked.GetDibStatus()
        except Exception as error:
            raise UnknownOutcomeError(f"{progid} tells no status: {error}") from error
        if status != 0:
            words = self._words(asked)
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

    def _words(self, asked: Any) -> str:
        try:
            return text(asked.GetDibMsg1(), "GetDibMsg1")
        except Exception as error:
            return f"no words ({error})"

    def today_orders(self, start: int, first_page: bool) -> tuple[list[VenueOrder], bool]:
        """A page of today's orders from `start` on, oldest first, a row for each price; and whether there is more."""
        asked = self._ask(
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
                side=_side(value(35, row)),
                quantity=natural(value(7, row), "order quantity"),
                price=natural(value(8, row), "order price"),
                price_type=text(value(34, row), "price type"),
                kind=_one_of(value(36, row), "123", "kind of order"),
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
        asked = self._ask("CpTrade.CpTd6033", {0: self.account, 1: self.goods, 2: 50}, first_page)
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
        asked = self._ask("CpTrade.CpTdNew5331A", inputs, True)
        return BuyingPower(
            integer(asked.GetHeaderValue(10), "cash orderable amount"), integer(asked.GetHeaderValue(45), "deposit")
        )

    # --- market data ----------------------------------------------------------------------------------------------

    def listings(self, codes: Sequence[str] | None) -> list[Listing]:
        """Master data of the login: no request, no limit. Without codes all of KOSPI, KOSDAQ and KONEX."""
        manager, stocks = self._object("CpUtil.CpCodeMgr"), self._object("CpUtil.CpStockCode")
        wanted = (
            list(codes)
            if codes is not None
            else [stock_code(one, "code") for market in (1, 2, 5) for one in manager.GetStockListByMarket(market)]
        )
        found = []
        for code in wanted:
            market = {1: "KOSPI", 2: "KOSDAQ", 5: "KONEX"}.get(integer(manager.GetStockMarketKind(code), "market kind"))
            name = text(manager.CodeToName(code), "name")
            if market is None or not name or not code.startswith("A"):
                continue
            base = natural(manager.GetStockStdPrice(code), "base price")
            found.append(
                Listing(
                    code,
                    name,
                    market,
                    KIND_OF_SECTION.get(integer(manager.GetStockSectionKind(code), "section"), "other"),
                    integer(manager.GetStockControlKind(code), "control kind"),
                    integer(manager.GetStockSupervisionKind(code), "supervision kind") == 1,
                    integer(manager.GetStockStatusKind(code), "status kind"),
                    max(1, natural(manager.GetStockMemeMin(code), "lot size")),
                    natural(manager.GetStockMaxPrice(code), "upper limit"),
                    natural(manager.GetStockMinPrice(code), "lower limit"),
                    max(1, natural(stocks.GetPriceUnit(code, base, True), "tick")),
                )
            )
        return found

    def market_hours(self) -> tuple[int, int]:
        """HHMM of today; other on special days."""
        manager = self._object("CpUtil.CpCodeMgr")
        return natural(manager.GetMarketStartTime(), "market start"), natural(manager.GetMarketEndTime(), "market end")

    def standing(self, code: str) -> Standing:
        """As it is now: master data is of the login."""
        asked = self._ask("Dscbo1.StockMst", {0: code}, True)
        supervised, halted = (code_or_text(asked.GetHeaderValue(index), "standing") == "Y" for index in (66, 68))
        # '1' normal, '2' caution, '3' warning, '4' danger announced, '5' danger: one more than CpCodeMgr's.
        control = code_or_text(asked.GetHeaderValue(67), "warning")
        if control not in ("1", "2", "3", "4", "5"):
            raise UnreadableError(f"expected a warning from 1 to 5, found {control!r}")
        return Standing(int(control) - 1, supervised, halted)

    def chart(self, code: str, timeframe: str, count: int, adjusted: bool) -> Callable[[], tuple[list[ChartRow], bool]]:
        """Asks for pages, newest first. Counted, since minutes cannot be asked for by date."""
        asked = self._com.Dispatch("CpSysDib.StockChart")
        inputs: dict[int, Any] = {
            0: code,
            1: ord("2"),
            4: count,
            5: CHART_FIELDS,
            6: ord("D") if timeframe == "1D" else ord("m"),
            7: MINUTES.get(timeframe, 1),
            8: ord("0"),
            9: ord("1") if adjusted else ord("0"),
            10: REGULAR_HOURS_ONLY,
        }
        for index, value in inputs.items():
            asked.SetInputValue(index, value)

        def page() -> tuple[list[ChartRow], bool]:
            self._request(asked, "CpSysDib.StockChart")
            value = asked.GetDataValue
            # By position among the fields asked for, in ascending order.
            names = ("date", "time", "open", "high", "low", "close", "volume")
            rows = [
                ChartRow(*(natural(value(place, row), name) for place, name in enumerate(names)))
                for row in range(natural(asked.GetHeaderValue(3), "row count"))
            ]
            return rows, bool(asked.Continue)

        return page

    def quotes(self, codes: Sequence[str]) -> list[QuoteRow]:
        fields = [0, 4, 8, 9, 10, 12, 15, 16, 23, 28, 33, 34]
        asked = self._ask("CpSysDib.MarketEye", {0: fields, 1: list(codes)}, True)
        value = asked.GetDataValue
        at = {number: place for place, number in enumerate(fields)}

        def amount(number: int, row: int) -> int:
            return natural(value(at[number], row), f"field {number}")

        return [
            QuoteRow(
                code=stock_code(value(at[0], row), "code"),
                last=amount(4, row),
                ask=amount(8, row),
                bid=amount(9, row),
                volume=amount(10, row),
                session=code_or_text(value(at[12], row), "session"),
                ask_quantity=amount(15, row),
                bid_quantity=amount(16, row),
                previous_close=amount(23, row),
                expected=amount(28, row),
                upper=amount(33, row),
                lower=amount(34, row),
            )
            for row in range(natural(asked.GetHeaderValue(2), "row count"))
        ]

    def order_book(self, code: str) -> tuple[Levels, Levels]:
        asked = self._ask("Dscbo1.StockJpBid2", {0: code}, True)
        value = asked.GetDataValue
        asks, bids = [], []
        for row in range(natural(asked.GetHeaderValue(1), "level count")):
            asks.append((natural(value(0, row), "ask price"), natural(value(2, row), "ask quantity")))
            bids.append((natural(value(1, row), "bid price"), natural(value(3, row), "bid quantity")))
        return _levels(bids), _levels(asks)

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

    def subscription_count(self) -> int:
        return sum(1 for _, code in self._subscribers if code)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _subscribe(self, progid: str, code: str, handler: type) -> None:
        if (progid, code) in self._subscribers:
            return
        subscriber = self._com.DispatchWithEvents(progid, handler)
        if code:
            subscriber.SetInputValue(0, code)
        try:
            subscriber.Subscribe()
        except Exception as error:
            raise UnavailableError(f"{progid} could not be subscribed: {error}") from error
        self._subscribers[(progid, code)] = subscriber

    def _object(self, progid: str) -> Any:
        if progid not in self._objects:
            self._objects[progid] = self._com.Dispatch(progid)
        return self._objects[progid]

    def _ask(self, progid: str, inputs: dict[int, Any], first_page: bool) -> Any:
        try:
            asked = self._object(progid)
            if first_page:
                for index, value in inputs.items():
                    asked.SetInputValue(index, value)
                if asked.Continue:
                    asked.Continue = 0
        except self._com.com_error as error:
            raise UnavailableError(f"{progid}: {error}") from error
        self._request(asked, progid)
        return asked

    def _request(self, asked: Any, progid: str) -> None:
        try:
            code = asked.BlockRequest()
            status = asked.GetDibStatus() if code == 0 else -1
        except self._com.com_error as error:
            raise UnavailableError(f"{progid}: {error}") from error
        if code == 4:
            raise BudgetError(f"{progid} returned 4: Creon's own request limit", self.limit_reset_us())
        if code != 0:
            raise UnavailableError(f"{progid} returned {code}: {self._words(asked)}")
        if status != 0:
            words = self._words(asked)
            raise RejectedError(reject_code(words), words)


def read_notice(value: Callable[[int], Any]) -> Notice:
    return Notice(
        flag=_one_of(value(14), "1234", "kind of notice"),
        kind=_one_of(value(16), "123", "kind of order"),
        number=number_text(value(5), "order number"),
        original=number_text(value(6), "original number"),
        code=stock_code(value(9), "code"),
        side=_side(value(12)),
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
    return _levels(bids), _levels(asks)


def _levels(levels: Levels) -> Levels:
    return [(price, quantity) for price, quantity in levels if price > 0 and quantity > 0]


def _one_of(value: Any, allowed: str, what: str) -> str:
    found = text(value, what)
    if len(found) != 1 or found not in allowed:
        raise UnreadableError(f"expected one of {', '.join(allowed)} as {what}, found {found[:20]!r}")
    return found


def _side(value: Any) -> Side:
    side = SIDES.get(text(value, "side"))
    if side is None:
        raise UnreadableError(f"expected side 1 or 2, found {value!r}")
    return side
