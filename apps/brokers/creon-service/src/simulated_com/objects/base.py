"""What every COM object here does: belongs to one thread, counts requests, keeps inputs, tells status and message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import failed, not_connected, server_unavailable, wrong_thread
from ..limits import QUOTE, TRADE
from ..market import Market, Tick
from ..orders import Notice, Refused
from ..terminal import Terminal

OK, COMMUNICATION, CANCELLED, INTERNAL, LIMIT = 0, 1, 2, 3, 4
POLL_SECONDS = 0.002


class ComObject:
    progid = ""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.thread = threading.get_ident()
        self._generation = terminal.generation

    def _enter(self, member: str) -> None:
        if threading.get_ident() != self.thread:
            raise wrong_thread()
        if self._generation != self._terminal.generation:
            raise server_unavailable()
        if self._terminal.faults.take("hang", f"{self.progid}.{member}"):
            self._terminal.faults.hanging.set()
            self._wait_for_release()
            self._terminal.faults.hanging.clear()

    def _wait_for_release(self) -> None:
        """A blocked call still pumps its thread's messages."""
        while not self._terminal.faults.released.wait(POLL_SECONDS):
            self._terminal.pump()

    def event(self, handler: str) -> Callable[[], None]:
        def fire() -> None:
            method = getattr(self, handler, None)
            if method is not None:
                method()

        return fire


@dataclass
class Answer:
    header: dict[int, Any] = field(default_factory=dict)
    rows: list[list[Any]] = field(default_factory=list)
    # Where the header tells how many rows this page has.
    count_at: int | None = None
    page: int = 0


class RequestObject(ComObject):
    """Ask and answer. Inputs stay between requests; while `Continue` is 1 the next request brings the next page."""

    kind = QUOTE

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._inputs: dict[int, Any] = {}
        self._answer = Answer()
        self._rows: list[list[Any]] = []
        self._offset = 0
        self._more = False
        self._status, self._message = 0, ""

    def answer(self) -> Answer:
        raise NotImplementedError

    def SetInputValue(self, type: int, value: Any) -> None:
        self._enter("SetInputValue")
        if self._inputs.get(type) != value:
            self._more = False
        self._inputs[type] = value

    def BlockRequest(self) -> int:
        self._enter("BlockRequest")
        return self._request()

    def BlockRequest2(self, option: int) -> int:
        self._enter("BlockRequest2")
        return self._request()

    def Request(self) -> None:
        self._enter("Request")
        self._request()
        self._terminal.post(self.thread, self.event("OnReceived"))

    def GetHeaderValue(self, type: int) -> Any:
        self._enter("GetHeaderValue")
        return self._garbled(self._answer.header.get(type))

    def GetDataValue(self, type: int, index: int) -> Any:
        self._enter("GetDataValue")
        if not 0 <= index < len(self._rows):
            raise failed(f"인덱스 범위를 벗어났습니다: {index}")
        return self._garbled(self._rows[index][type])

    def GetDibStatus(self) -> int:
        self._enter("GetDibStatus")
        return self._status

    def GetDibMsg1(self) -> str:
        self._enter("GetDibMsg1")
        return self._message

    @property
    def Continue(self) -> int:
        self._enter("Continue")
        return 1 if self._more else 0

    @Continue.setter
    def Continue(self, value: Any) -> None:
        self._enter("Continue")
        self._more = bool(value) and self._more

    def _request(self) -> int:
        terminal = self._terminal
        terminal.calls.append(self.progid)
        slow = terminal.faults.take("slow", self.progid)
        if slow is not None:
            self._sleep_us(int(slow.values.get("ms", 1000)) * 1000)
        if terminal.faults.take("return-3", self.progid):
            return self._fail(INTERNAL, "내부 오류가 발생하였습니다")
        if self.kind == TRADE:
            if not terminal.trade_ready:
                return self._fail(COMMUNICATION, "TradeInit을 먼저 호출하여 주십시오")
            if terminal.faults.take("return-4", self.progid) or not terminal.limits.take(TRADE):
                return self._fail(LIMIT, "요청 제한 횟수를 초과하였습니다")
        else:
            while not terminal.limits.take(QUOTE):
                self._sleep_us(terminal.limits.left_us(QUOTE))
        if not terminal.connected:
            if terminal.faults.take("raise-when-disconnected"):
                raise not_connected()
            return self._fail(COMMUNICATION, "U-CYBOS가 서버에 접속되어 있지 않습니다")
        try:
            with terminal.lock:
                if self._more:
                    if not terminal.faults.take("continue-for-ever", self.progid):
                        self._offset += len(self._rows)
                else:
                    self._offset = 0
                    self._answer = self.answer()
        except Refused as refusal:
            self._answer, self._rows, self._more = Answer(), [], False
            self._status, self._message = -1, str(refusal)
            return OK
        answer = self._answer
        size = answer.page or len(answer.rows)
        self._rows = answer.rows[self._offset : self._offset + size]
        self._more = self._offset + len(self._rows) < len(answer.rows)
        if terminal.faults.take("continue-for-ever", self.progid):
            self._more = True
            self._rows = self._rows or answer.rows[-size:]
        if answer.count_at is not None:
            answer.header[answer.count_at] = len(self._rows)
        self._status, self._message = 0, "정상 처리되었습니다"
        if terminal.faults.take("notices-before-reply"):
            terminal.pump()
        return OK

    def _fail(self, code: int, message: str) -> int:
        self._status, self._message = -1, message
        self._answer, self._rows, self._more = Answer(), [], False
        return code

    def _sleep_us(self, us: int) -> None:
        until = time.monotonic_ns() // 1000 + us
        while (left := until - time.monotonic_ns() // 1000) > 0:
            time.sleep(min(left / 1_000_000, 0.01))
            self._terminal.pump()

    def _garbled(self, value: Any) -> Any:
        if self._terminal.faults.take("garbage", self.progid):
            return None if isinstance(value, str) else "???"
        return value

    def _text(self, index: int, default: str = "") -> str:
        value = self._inputs.get(index, default)
        return value if isinstance(value, str) else str(value)

    def _number(self, index: int, default: int = 0) -> int:
        value = self._inputs.get(index, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Refused(f"입력값이 올바르지 않습니다({index})") from None

    def _char(self, index: int, default: str) -> str:
        """A `char` input is a code; pywin32 sends what it was given."""
        value = self._inputs.get(index, ord(default))
        if isinstance(value, int):
            return chr(value)
        raise failed(f"형식이 일치하지 않습니다({index})")


class RealtimeObject(ComObject):
    """Tells changes only. Handlers take no argument and read the values from the object."""

    counted = True

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._inputs: dict[int, Any] = {}
        self._headers: dict[int, Any] = {}

    def SetInputValue(self, type: int, value: Any) -> None:
        self._enter("SetInputValue")
        self._inputs[type] = value

    def Subscribe(self) -> None:
        self._enter("Subscribe")
        self._terminal.require_connection()
        try:
            self._terminal.subscribe(self, str(self._inputs.get(0, "")) if self.counted else "")
        except Refused as refusal:
            raise failed(str(refusal)) from None

    def SubscribeLatest(self) -> None:
        self.Subscribe()

    def Unsubscribe(self) -> None:
        self._enter("Unsubscribe")
        self._terminal.unsubscribe(self)

    def GetHeaderValue(self, type: int) -> Any:
        self._enter("GetHeaderValue")
        if self._terminal.faults.take("garbage", self.progid):
            return "???"
        return self._headers.get(type)

    def received(self, headers: dict[int, Any]) -> Callable[[], None]:
        fire = self.event("OnReceived")

        def deliver() -> None:
            self._headers = headers
            fire()

        return deliver

    def headers_of_tick(self, market: Market, tick: Tick) -> dict[int, Any]:
        raise NotImplementedError

    def headers_of_notice(self, notice: Notice) -> dict[int, Any]:
        raise NotImplementedError
