"""Which COM the service speaks to: pywin32 on Windows, or the simulated one anywhere."""

from __future__ import annotations

import importlib
import platform
from typing import Any, Literal, Protocol, cast

ComKind = Literal["windows", "simulated"]
ONLY_WINDOWS = "Creon service can only run on Windows"


class ComModule(Protocol):
    """What the service uses of `win32com.client` and `pythoncom`."""

    com_error: type[Exception]

    def Dispatch(self, progid: str) -> Any: ...
    def DispatchWithEvents(self, progid: str, user_event_class: type) -> Any: ...
    def CoInitialize(self) -> None: ...
    def CoUninitialize(self) -> None: ...
    def PumpWaitingMessages(self) -> Any: ...


class _PyWin32:
    def __init__(self) -> None:
        try:
            client: Any = importlib.import_module("win32com.client")
            pythoncom: Any = importlib.import_module("pythoncom")
        except ImportError as error:
            raise RuntimeError(f"Creon dependencies not available: {error}") from error
        self.com_error: type[Exception] = pythoncom.com_error
        self.Dispatch = client.Dispatch
        self.DispatchWithEvents = client.DispatchWithEvents
        self.CoInitialize = pythoncom.CoInitialize
        self.CoUninitialize = pythoncom.CoUninitialize
        self.PumpWaitingMessages = pythoncom.PumpWaitingMessages


def check_platform(kind: ComKind, system: str | None = None) -> None:
    if kind == "windows" and (system or platform.system()) != "Windows":
        raise RuntimeError(ONLY_WINDOWS)


def load_com(kind: ComKind) -> ComModule:
    check_platform(kind)
    if kind == "windows":
        return _PyWin32()
    return cast(ComModule, importlib.import_module("simulated_com"))


def hresult_of(error: BaseException) -> int | None:
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else None
