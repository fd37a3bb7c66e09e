"""Canonical decimal text of the Broker API to whole won and shares, and back."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"^(0|[1-9][0-9]{0,18})$")


def whole(text: str) -> int | None:
    """KRX trades whole shares at whole won: any other decimal is None."""
    return int(text) if _WHOLE.fullmatch(text) else None


def to_text(amount: int) -> str:
    return str(amount)
