"""How a question to Creon can fail, in our words. Messages say what was expected and found; never a secret."""

from __future__ import annotations

from typing import Literal

RejectCode = Literal["INSUFFICIENT_BALANCE", "FILTER_FAILURE", "MARKET_CLOSED", "NOT_SUPPORTED", "REJECTED"]
NotSentCode = Literal[
    "TOO_LATE",
    "GATE_HALTED",
    "STALE_LEASE",
    "STALE_TRADING_STATE",
    "ORDER_IN_FLIGHT",
    "BROKER_UNAVAILABLE",
    "RATE_BUDGET",
    "INVALID",
]


class CreonError(Exception):
    """Any failure of the broker's side."""


class NotSentError(CreonError):
    """Certainly nothing reached the broker."""

    def __init__(self, code: NotSentCode, message: str) -> None:
        super().__init__(message)
        self.code: NotSentCode = code


class RejectedError(CreonError):
    """The broker said no."""

    def __init__(self, code: RejectCode, message: str) -> None:
        super().__init__(message)
        self.code: RejectCode = code


class UnknownOutcomeError(CreonError):
    """Perhaps sent, and no readable answer."""


class UnavailableError(CreonError):
    """No session, a COM server that is gone, or a circuit that is open."""


class CallTimeoutError(CreonError):
    """A call that did not come back in time."""


class UnreadableError(CreonError):
    """An answer in words that we cannot read."""


class BudgetError(CreonError):
    """The request budget is used up."""

    def __init__(self, message: str, retry_after_us: int) -> None:
        super().__init__(message)
        self.retry_after_us = retry_after_us


class NoRoomError(BudgetError):
    """Our own count says so, before the broker's would: what matters more may still have room."""

    def __init__(self, budget: str, name: str, wait_us: int) -> None:
        seconds = max(1, -(-wait_us // 1_000_000))
        super().__init__(f"the {budget} budget has no room for {name} for another {seconds} s", wait_us)


# The broker refuses by text; the code keeps to what the text surely says.
_WORDS: tuple[tuple[str, RejectCode], ...] = (
    ("주문가능금액", "INSUFFICIENT_BALANCE"),
    ("가능수량이 부족", "INSUFFICIENT_BALANCE"),
    ("매도가능수량", "INSUFFICIENT_BALANCE"),
    ("호가단위", "FILTER_FAILURE"),
    ("상하한가", "FILTER_FAILURE"),
    ("상한가", "FILTER_FAILURE"),
    ("하한가", "FILTER_FAILURE"),
    ("주문수량", "FILTER_FAILURE"),
    ("장종료", "MARKET_CLOSED"),
    ("접수 가능시간", "MARKET_CLOSED"),
    ("장개시", "MARKET_CLOSED"),
    ("거래정지", "MARKET_CLOSED"),
    ("호가유형", "NOT_SUPPORTED"),
)


def reject_code(text: str) -> RejectCode:
    return next((code for words, code in _WORDS if words in text), "REJECTED")


# Raised before anything is sent: no session, a dead server, a class that is not registered.
NOTHING_SENT = frozenset({-2147483638, -2147221005, -2147221008})
