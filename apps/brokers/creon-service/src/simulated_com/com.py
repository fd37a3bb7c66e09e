"""The face of pywin32: `win32com.client.Dispatch` and the parts of `pythoncom` that an STA thread needs."""

from __future__ import annotations

import threading
from typing import Any

from .errors import class_not_registered, not_initialised
from .objects.registry import OBJECTS
from .terminal import Terminal, TerminalOptions

_terminal: Terminal | None = None
_apartments = threading.local()


def install(value: Terminal | None) -> None:
    """Which terminal `Dispatch` reaches: the one COM server of this machine."""
    global _terminal
    _terminal = value


def terminal() -> Terminal:
    global _terminal
    if _terminal is None:
        _terminal = Terminal(TerminalOptions())
    return _terminal


def CoInitialize() -> None:
    _apartments.depth = getattr(_apartments, "depth", 0) + 1


def CoUninitialize() -> None:
    _apartments.depth = max(0, getattr(_apartments, "depth", 0) - 1)


def PumpWaitingMessages() -> int:
    _require_apartment()
    terminal().pump()
    return 0


def Dispatch(progid: str) -> Any:
    _require_apartment()
    return _class_of(progid)(terminal())


def DispatchWithEvents(progid: str, user_event_class: type) -> Any:
    """As pywin32 does: one instance that is the object and the handler at once."""
    _require_apartment()
    combined = type("COMEventClass", (_class_of(progid), user_event_class), {})
    return combined(terminal())


def _class_of(progid: str) -> type[Any]:
    found = OBJECTS.get(progid.lower())
    if found is None:
        raise class_not_registered()
    return found


def _require_apartment() -> None:
    if getattr(_apartments, "depth", 0) == 0:
        raise not_initialised()
