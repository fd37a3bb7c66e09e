"""Terminals for tests: a quiet market on a manual clock, inside an apartment of the calling thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import simulated_com as com
from simulated_com.clock import ManualVenueClock, at
from simulated_com.exchange import ExchangeOptions
from simulated_com.terminal import Terminal, TerminalOptions

SAMSUNG = "A005930"
ACCOUNT, GOODS = "335012345", "01"
# A Wednesday on which KRX was open.
DAY = 20260422


@contextmanager
def a_terminal(
    hhmmss: int = 100000,
    day: int = DAY,
    store: Path | None = None,
    exchange: dict[str, Any] | None = None,
    **options: Any,
) -> Iterator[Terminal]:
    made = ExchangeOptions(**{"quiet": True, "history_from": day, **(exchange or {})})
    terminal = Terminal(TerminalOptions(exchange=made, store=store, **options), ManualVenueClock(at(day, hhmmss)))
    com.install(terminal)
    com.CoInitialize()
    try:
        yield terminal
    finally:
        com.CoUninitialize()
        com.install(None)


def go_to(terminal: Terminal, hhmmss: int, day: int = DAY) -> None:
    assert isinstance(terminal.clock, ManualVenueClock)
    terminal.clock.move_to(at(day, hhmmss))
    com.PumpWaitingMessages()


def trade_init() -> None:
    assert com.Dispatch("CpTrade.CpTdUtil").TradeInit(0) == 0


def request(progid: str, **inputs: Any) -> Any:
    """One request with inputs `i0=…`; the object as it stands after it."""
    asked = com.Dispatch(progid)
    for name, value in inputs.items():
        asked.SetInputValue(int(name[1:]), value)
    asked.code = asked.BlockRequest()
    return asked


def order(side: str = "2", quantity: int = 10, price: int = 71_700, kind: str = "01", condition: str = "0") -> Any:
    return request(
        "CpTrade.CpTd0311", i0=side, i1=ACCOUNT, i2=GOODS, i3=SAMSUNG, i4=quantity, i5=price, i7=condition, i8=kind
    )


class Notices:
    """What CpConclusion told, as (flag, kind, number, quantity, price)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, int, int, int]] = []
        heard = self.heard

        class Handler:
            def OnReceived(self: Any) -> None:
                value = self.GetHeaderValue
                heard.append((value(14), value(16), value(5), value(3), value(4)))

        self.object = com.DispatchWithEvents("Dscbo1.CpConclusion", Handler)
        self.object.Subscribe()

    def pumped(self) -> list[tuple[str, str, int, int, int]]:
        com.PumpWaitingMessages()
        found = list(self.heard)
        self.heard.clear()
        return found
