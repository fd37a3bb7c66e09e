"""COM values to ours: what is not of the documented type is unreadable, never guessed."""

from __future__ import annotations

from typing import Any

from domain.words import Side

from .errors import UnreadableError

SIDES: dict[str, Side] = {"1": "sell", "2": "buy"}


def integer(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise UnreadableError(f"expected a whole number as {what}, found {_shown(value)}")
    return int(value)


def natural(value: Any, what: str) -> int:
    number = integer(value, what)
    if number < 0:
        raise UnreadableError(f"expected {what} not below zero, found {number}")
    return number


def text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise UnreadableError(f"expected text as {what}, found {_shown(value)}")
    return value.strip()


def code_or_text(value: Any, what: str) -> str:
    """A `char` comes as its code, a `string` as text."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0x110000:
        return chr(value)
    return text(value, what)


def number_text(value: Any, what: str) -> int:
    """Order numbers come as int from requests and sometimes as text in notices."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return natural(value, what)


def stock_code(value: Any, what: str) -> str:
    code = text(value, what)
    if len(code) < 2 or not code[1:].isalnum():
        raise UnreadableError(f"expected a code such as A005930 as {what}, found {_shown(value)}")
    return code


def one_of(value: Any, allowed: str, what: str) -> str:
    found = text(value, what)
    if len(found) != 1 or found not in allowed:
        raise UnreadableError(f"expected one of {', '.join(allowed)} as {what}, found {found[:20]!r}")
    return found


def side_of(value: Any) -> Side:
    side = SIDES.get(text(value, "side"))
    if side is None:
        raise UnreadableError(f"expected side 1 or 2, found {value!r}")
    return side


def _shown(value: Any) -> str:
    return repr(value)[:60]
