"""COM objects of one run of the HTS: made when they are first needed, kept, and asked one question at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..com import ComModule
from ..errors import BudgetError, RejectedError, UnavailableError, reject_code
from ..reading import integer, natural, text

# GetLimitRemainCount: LT_NONTRADE_REQUEST.
QUOTES_LEFT = 1


class ComObjects:
    def __init__(self, com: ComModule, on_disconnect: Callable[[], None]) -> None:
        self._com = com
        self._on_disconnect = on_disconnect
        self._objects: dict[str, Any] = {}

    def is_connected(self) -> bool:
        return bool(integer(self._watched_cybos().IsConnect, "IsConnect") == 1)

    def forget(self) -> None:
        """The objects of an earlier run of the HTS are dead: everything is made anew."""
        self._objects.clear()

    def limit_reset_us(self) -> int:
        return natural(self._watched_cybos().LimitRequestRemainTime, "LimitRequestRemainTime") * 1000

    def kept(self, progid: str) -> Any:
        if progid not in self._objects:
            self._objects[progid] = self._com.Dispatch(progid)
        return self._objects[progid]

    def new(self, progid: str) -> Any:
        return self._com.Dispatch(progid)

    def ask(self, progid: str, inputs: dict[int, Any], first_page: bool) -> Any:
        try:
            asked = self.kept(progid)
            if first_page:
                for index, value in inputs.items():
                    asked.SetInputValue(index, value)
                if asked.Continue:
                    asked.Continue = 0
        except self._com.com_error as error:
            raise UnavailableError(f"{progid}: {error}") from error
        self.request(asked, progid)
        return asked

    def request(self, asked: Any, progid: str) -> None:
        try:
            if not progid.startswith("CpTrade."):
                self._check_room(progid)
            code = asked.BlockRequest()
            status = asked.GetDibStatus() if code == 0 else -1
        except self._com.com_error as error:
            raise UnavailableError(f"{progid}: {error}") from error
        if code == 4:
            raise BudgetError(f"{progid} returned 4: Creon's own request limit", self.limit_reset_us())
        if code != 0:
            raise UnavailableError(f"{progid} returned {code}: {self.words(asked)}")
        if status != 0:
            words = self.words(asked)
            raise RejectedError(reject_code(words), words)

    def _check_room(self, progid: str) -> None:
        """A quote request beyond Creon's own count, the login's, would hold this thread and every order behind it."""
        if integer(self._watched_cybos().GetLimitRemainCount(QUOTES_LEFT), "GetLimitRemainCount") <= 0:
            raise BudgetError(f"{progid} has no room: Creon's own request limit", self.limit_reset_us())

    def words(self, asked: Any) -> str:
        try:
            return text(asked.GetDibMsg1(), "GetDibMsg1")
        except Exception as error:
            return f"no words ({error})"

    def _watched_cybos(self) -> Any:
        on_disconnect = self._on_disconnect

        class Handler:
            def OnDisConnect(self) -> None:
                on_disconnect()

            OnDisconnect = OnDisConnect

        if "CpUtil.CpCybos" not in self._objects:
            self._objects["CpUtil.CpCybos"] = self._com.DispatchWithEvents("CpUtil.CpCybos", Handler)
        return self._objects["CpUtil.CpCybos"]
