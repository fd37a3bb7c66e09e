"""`KRX:005930` and Creon's `A005930`."""

from __future__ import annotations

import re

_INSTRUMENT = re.compile(r"^KRX:([0-9][0-9A-Z]{5})$")
_SYMBOL = re.compile(r"^A?([0-9][0-9A-Z]{5})$")


def to_code(instrument: str) -> str | None:
    found = _INSTRUMENT.fullmatch(instrument)
    return None if found is None else f"A{found[1]}"


def to_instrument(code: str) -> str:
    return f"KRX:{code[1:]}"


def instrument_of_symbol(symbol: str) -> str | None:
    """An InstrumentId, or the venue's symbol with or without its leading A."""
    if ":" in symbol:
        return symbol if _INSTRUMENT.fullmatch(symbol) else None
    found = _SYMBOL.fullmatch(symbol)
    return None if found is None else f"KRX:{found[1]}"
