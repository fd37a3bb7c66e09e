"""The matching and the account behind COM. Every change is stored before anybody hears of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .bars import BarSource, Listing, _chance, read_recording
from .calendar import Hours, Sessions, hours_of
from .clock import VenueClock, at, date_of
from .faults import Faults
from .ledger import Ledger
from .market import Market, Tick
from .orders import (
    BEST,
    CONDITIONAL,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    NONE,
    PRICE_TYPES,
    PRIORITY,
    Book,
    Fill,
    Notice,
    Order,
    Refused,
    Side,
)
from .rules import commission, tick_size
from .store import VenueStore

DEFAULT_LISTINGS = (
    Listing("A005930", "삼성전자", base=71_700, listed_shares=5_969_782_550),
    Listing("A000660", "SK하이닉스", base=182_500, listed_shares=728_002_365),
    Listing("A035420", "NAVER", base=214_000, listed_shares=158_437_008),
    Listing("A069500", "KODEX 200", kind="etf", base=36_500, listed_shares=180_000_000),
    Listing("A247540", "에코프로비엠", market="KOSDAQ", base=158_300, listed_shares=97_801_344),
    Listing("A900110", "이스트아시아홀딩스", market="KOSDAQ", base=1_050, listed_shares=30_000_000, halted=True),
)
# One in four shares that trade at an order's price are ours.
SHARE_OF_VOLUME = 4


@dataclass(frozen=True)
class ExchangeOptions:
    account: str = "335012345"
    goods: str = "01"
    cash: int = 100_000_000
    fee_ppm: int = 150
    seed: int = 1
    quiet: bool = False
    sessions: Sessions = field(default_factory=Sessions)
    listings: tuple[Listing, ...] = DEFAULT_LISTINGS
    # Code -> CSV files of recorded bars.
    recordings: tuple[tuple[str, str], ...] = ()
    history_from: int = 20250102


class Exchange:
    def __init__(self, options: ExchangeOptions, clock: VenueClock, store: VenueStore, faults: Faults) -> None:
        self.options, self.clock, self._store, self._faults = options, clock, store, faults
        self.listings: dict[str, Listing] = {listing.code: listing for listing in options.listings}
        self.markets: dict[str, Market] = {}
        self.orders: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.watched: set[str] = set()
        self.on_notice: Callable[[Notice], None] = lambda _notice: None
        self.on_tick: Callable[[Market, Tick], None] = lambda _market, _tick: None
        saved = store.get("ledger", options.account)
        self.ledger = Ledger.from_json(saved) if saved else Ledger(options.fee_ppm, {0: options.cash})
        self._numbers: dict[int, int] = {int(date): last for date, last in store.all("numbers")}
        self._restore()

    # --- time -----------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Lets the market come to the present: ticks of what is watched, fills, and the ends of sessions."""
        now = self.clock.now_us()
        self._expire(now)
        for code in sorted({order.code for order in self._open()} | self.watched):
            market = self.market(code)
            for tick in market.advance(now):
                self._on_tick(market, tick)
        self._after_hours(now)
        self._expire(now)

    def market(self, code: str) -> Market:
        if code not in self.listings:
            raise Refused("종목코드가 존재하지 않습니다")
        market = self.markets.get(code)
        if market is None:
            files = [path for name, path in self.options.recordings if name == code]
            recordings = [read_recording(Path(path)) for path in files]
            options = self.options
            source = BarSource(self.listings[code], options.seed, options.history_from, recordings)
            market = Market(source, options.sessions, options.quiet, seed=options.seed)
            market.at_us = self._store.get("markets", code) or self.clock.now_us()
            self.markets[code] = market
            market.advance(market.at_us)
        return market

    def market_now(self, code: str) -> Market:
        """A market that has come to the present; its ticks reach whoever waits for them."""
        market = self.market(code)
        for tick in market.advance(self.clock.now_us()):
            self._on_tick(market, tick)
        return market

    def restrict(self, code: str, **changes: Any) -> None:
        """The exchange halts an issue, or puts it under supervision or a warning, in the middle of the day."""
        self.listings[code] = self.market_now(code).bars.listing = replace(self.listings[code], **changes)

    def print(self, code: str, price: int, volume: int) -> None:
        """A trade between others, said by a test."""
        market = self.market_now(code)
        self._on_tick(market, market.print(price, volume, self.clock.now_us()))

    def _on_tick(self, market: Market, tick: Tick) -> None:
        self.on_tick(market, tick)
        budget = max(1, tick.volume // SHARE_OF_VOLUME)
        for order in self._open(market.code):
            if order.time_us > tick.time_us or order.book != "regular":
                continue
            if tick.auction == "closing" and order.price_type == CONDITIONAL:
                order.price_type = MARKET
            if not _crosses(order, tick.price):
                continue
            at_market = order.price_type == MARKET or tick.auction
            quantity = order.leaves if tick.auction else min(order.leaves, budget)
            if quantity > 0:
                budget -= 0 if tick.auction else quantity
                self._fill(order, quantity, tick.price if at_market else order.price, tick.time_us)
        self._store.put([("markets", market.code, tick.time_us)])

    def _after_hours(self, now: int) -> None:
        for order in self._open():
            if order.book == "regular":
                continue
            hours = hours_of(order.date)
            if order.book == "after_close":
                due = max(order.time_us, at(order.date, hours.after_close_from))
            else:
                # One match every ten minutes.
                ten = 600_000_000
                due = max(-(-order.time_us // ten) * ten, at(order.date, hours.single_price_from) + ten)
            close = self.market_now(order.code).last()
            if now >= due and (order.book == "after_close" or _crosses(order, close)):
                self._fill(order, order.leaves, close, due)

    def _expire(self, now: int) -> None:
        """What is open when its session ends is gone, without a notice."""
        if self.options.sessions.always_open:
            # Even there an order lives for a day: its list and its numbers begin anew.
            for order in self._open():
                if order.date < date_of(now):
                    order.leaves = 0
                    self._save(order)
            return
        for order in self._open():
            end = at(order.date, _end_of(order.book, hours_of(order.date)))
            if now < end or (order.book == "regular" and self._ticks_wait(order, end)):
                continue
            order.leaves = 0
            self._save(order)

    def _ticks_wait(self, order: Order, end: int) -> bool:
        market = self.market(order.code)
        return market.at_us < end and not market.quiet

    # --- orders ---------------------------------------------------------------------------------------------------

    def place(
        self,
        code: str,
        side: Side,
        quantity: int,
        price: int,
        price_type: str = LIMIT,
        condition: str = NONE,
        book: Book = "regular",
        account: str | None = None,
        goods: str | None = None,
        media: str = "01",
    ) -> Order:
        self.advance()
        self._check_account(account, goods)
        market = self.market_now(code)
        order = self._new(code, side, quantity, price, price_type, condition, book, media=media)
        self._check(order, market)
        order.leaves = quantity
        order.reserve_price = self._reserve_price(order, market)
        self._check_means(order)
        self._save(order, numbered=True)
        self._tell("4", order, quantity, price)
        if self.listings[code].halted:
            self._reject(order, "매매거래정지 종목입니다")
        else:
            self._match(order, market)
        return order

    def modify(
        self, original: int, code: str, quantity: int, price: int, price_type: str | None, condition: str | None
    ) -> Order:
        self.advance()
        target = self._target(original, code)
        market = self.market_now(code)
        moved = self._moved(target, quantity)
        order = self._new(
            code, target.side, moved, price, price_type or target.price_type, condition or target.condition, target.book
        )
        order.kind, order.original = "2", original
        self._check(order, market)
        order.reserve_price = self._reserve_price(order, market)
        self._check_means(order, less=target)
        self._save(order, numbered=True)
        self._tell("4", order, moved, price)
        if target.leaves < moved or moved == 0:
            self._reject(order, "정정가능수량이 없습니다")
            return order
        target.leaves -= moved
        target.confirmed += moved
        order.leaves, order.confirmed = moved, moved
        self._save(target, order)
        self._tell("2", order, moved, price)
        self._match(order, market)
        return order

    def cancel(self, original: int, code: str, quantity: int) -> Order:
        self.advance()
        target = self._target(original, code)
        moved = self._moved(target, quantity)
        order = self._new(code, target.side, moved, 0, target.price_type, target.condition, target.book)
        order.kind, order.original = "3", original
        self._save(order, numbered=True)
        self._tell("4", order, moved, 0)
        if target.leaves < moved or moved == 0:
            self._reject(order, "취소가능수량이 없습니다")
            return order
        target.leaves -= moved
        target.confirmed += moved
        order.confirmed = moved
        self._save(target, order)
        self._tell("2", order, moved, 0)
        return order

    def today(self) -> list[Order]:
        date = date_of(self.clock.now_us())
        return sorted((order for order in self.orders.values() if order.date == date), key=lambda order: order.number)

    def fills_of(self, order: Order) -> list[Fill]:
        return [
            fill for key, fill in sorted(self.fills.items()) if fill.number == order.number and fill.date == order.date
        ]

    # --- the account ----------------------------------------------------------------------------------------------

    def reserved(self, less: Order | None = None) -> int:
        total = 0
        for order in self._open():
            if order.side == "buy" and order is not less:
                worth = order.leaves * order.reserve_price
                total += worth + commission(worth, self.ledger.fee_ppm) + 1
        return total

    def orderable(self, less: Order | None = None) -> int:
        return self.ledger.cash_in_the_end() - self.reserved(less)

    def sellable(self, code: str, less: Order | None = None) -> int:
        selling = sum(order.leaves for order in self._open(code) if order.side == "sell" and order is not less)
        return self.ledger.holding(code).quantity - selling

    def give(self, code: str, quantity: int, price: int) -> None:
        """Shares from elsewhere, for tests: a transfer into the account."""
        held = self.ledger.holding(code)
        held.quantity += quantity
        held.cost += quantity * price
        self._store.put([("ledger", self.options.account, self.ledger.to_json())])

    # --- inside ---------------------------------------------------------------------------------------------------

    def _match(self, order: Order, market: Market) -> None:
        """What the book gives at once. Auctions and other sessions wait for their print."""
        if order.book != "regular" or market.phase(self.clock.now_us()) != "continuous":
            return
        levels = [
            (price, quantity) for price, quantity in market.book(order.side) if quantity > 0 and _crosses(order, price)
        ]
        if order.condition == FOK and sum(quantity for _, quantity in levels) < order.leaves:
            levels = []
        for price, quantity in levels:
            taken = min(quantity, order.leaves)
            if taken == 0:
                break
            market.take(order.side, price, taken)
            self._fill(order, taken, price, self.clock.now_us())
        if order.condition in (IOC, FOK) and order.leaves > 0:
            rest = order.leaves
            order.leaves, order.confirmed = 0, order.confirmed + rest
            self._save(order)
            self._tell("2", replace(order, kind="3"), rest, 0)

    def _fill(self, order: Order, quantity: int, price: int, time_us: int) -> None:
        listing = self.listings[order.code]
        sequence = len(self.fills_of(order)) + 1
        fill = Fill(order.number, order.date, sequence, quantity, price, time_us)
        order.leaves -= quantity
        order.filled += quantity
        self.fills[fill.key] = fill
        self.ledger.book(order.side, order.code, quantity, price, date_of(time_us), listing.market, listing.kind)
        self._store.put(
            [
                ("orders", order.key, order.to_json()),
                ("fills", fill.key, asdict(fill)),
                ("ledger", self.options.account, self.ledger.to_json()),
            ]
        )
        self._tell("1", order, quantity, price)

    def _reject(self, order: Order, reason: str) -> None:
        order.leaves, order.reason = 0, reason
        self._save(order)
        self._tell("3", order, order.quantity, order.price)

    def _tell(self, flag: str, order: Order, quantity: int, price: int) -> None:
        held = self.ledger.holding(order.code)
        book_price = held.cost // held.quantity if held.quantity else 0
        self.on_notice(
            Notice(flag, replace(order), quantity, price, held.quantity, self.sellable(order.code), book_price)
        )

    def _new(
        self,
        code: str,
        side: Side,
        quantity: int,
        price: int,
        price_type: str,
        condition: str,
        book: Book,
        media: str = "01",
    ) -> Order:
        now = self.clock.now_us()
        date = date_of(now)
        last = self._numbers.get(date, 0)
        # Other customers' orders are numbered in between.
        number = last + 1 + int(40 * _chance(self.options.seed, "number", date, last))
        options = self.options
        return Order(
            number,
            date,
            options.account,
            options.goods,
            code,
            side,
            quantity,
            price,
            price_type,
            condition,
            now,
            book,
            media=media,
        )

    def _save(self, *orders: Order, numbered: bool = False) -> None:
        documents: list[tuple[str, str, Any]] = [("orders", order.key, order.to_json()) for order in orders]
        if numbered:
            first = orders[0]
            self._numbers[first.date] = first.number
            documents.append(("numbers", str(first.date), first.number))
        for order in orders:
            self.orders[order.key] = order
        self._store.put(documents)

    def _restore(self) -> None:
        for key, value in self._store.all("orders"):
            self.orders[key] = Order(**value)
        for key, value in self._store.all("fills"):
            self.fills[key] = Fill(**value)

    def _open(self, code: str | None = None) -> list[Order]:
        found = (order for order in self.orders.values() if order.leaves > 0 and code in (None, order.code))
        return sorted(found, key=lambda order: (order.date, order.number))

    def _target(self, number: int, code: str) -> Order:
        date = date_of(self.clock.now_us())
        order = self.orders.get(f"{date}-{number:09d}")
        if order is None or order.code != code or order.kind == "3":
            raise Refused("원주문번호가 존재하지 않습니다")
        return order

    def _moved(self, target: Order, quantity: int) -> int:
        return target.leaves if quantity == 0 else quantity

    def _check_account(self, account: str | None, goods: str | None) -> None:
        if account not in (None, self.options.account):
            raise Refused("계좌번호가 올바르지 않습니다")
        if goods not in (None, self.options.goods):
            raise Refused("상품관리구분코드가 올바르지 않습니다")

    def _check(self, order: Order, market: Market) -> None:
        phase = market.phase(self.clock.now_us())
        entry = {
            "regular": ("opening_auction", "continuous", "closing_auction"),
            "after_close": ("after_close",),
            "single_price": ("single_price",),
        }[order.book]
        if phase not in entry:
            raise Refused("주문접수 가능시간이 아닙니다(장종료)")
        if order.quantity <= 0 and order.kind == "1":
            raise Refused("주문수량을 확인하십시오")
        if order.price_type not in PRICE_TYPES or order.condition not in (NONE, IOC, FOK):
            raise Refused("호가유형이 올바르지 않습니다")
        if order.condition != NONE and (phase != "continuous" or order.price_type in (CONDITIONAL, PRIORITY)):
            raise Refused("해당 호가유형은 조건(IOC/FOK)을 사용할 수 없습니다")
        if order.book == "after_close":
            order.price = market.last()
            return
        if order.price_type in (BEST, PRIORITY):
            levels = market.book(order.side if order.price_type == BEST else ("sell" if order.side == "buy" else "buy"))
            order.price = levels[0][0] if levels else market.last()
            return
        if order.price_type == MARKET:
            return
        listing, (upper, lower) = market.bars.listing, market.limits()
        if order.book == "single_price":
            last = market.last()
            upper, lower = min(upper, last * 11 // 10), max(lower, -(-last * 9 // 10))
        if order.price % tick_size(max(order.price, 1), order.date, listing.market, listing.kind) or order.price <= 0:
            raise Refused("호가단위가 올바르지 않습니다")
        if not lower <= order.price <= upper:
            raise Refused("상하한가를 벗어난 가격입니다")

    def _reserve_price(self, order: Order, market: Market) -> int:
        return market.limits()[0] if order.price_type in (MARKET, CONDITIONAL) else order.price

    def _check_means(self, order: Order, less: Order | None = None) -> None:
        if order.side == "sell":
            if order.quantity > self.sellable(order.code, less):
                raise Refused("매도가능수량이 부족합니다")
            return
        worth = order.quantity * order.reserve_price
        if worth + commission(worth, self.ledger.fee_ppm) + 1 > self.orderable(less):
            raise Refused("주문가능금액이 부족합니다")

    def crash_if_asked(self) -> None:
        if self._faults.take("crash-after-accept"):
            os._exit(137)


def _end_of(book: Book, hours: Hours) -> int:
    return {"regular": hours.close_at, "after_close": hours.single_price_from, "single_price": hours.end_at}[book]


def _crosses(order: Order, price: int) -> bool:
    if order.price_type == MARKET:
        return True
    return price <= order.price if order.side == "buy" else price >= order.price
