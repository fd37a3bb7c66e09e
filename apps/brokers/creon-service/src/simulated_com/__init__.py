"""A local KRX venue behind the COM surface that CYBOS Plus shows to pywin32.

It offers what `win32com.client` and `pythoncom` offer (`Dispatch`, `DispatchWithEvents`, `PumpWaitingMessages`,
`CoInitialize`), so that the service runs unchanged on any system. Its rules, matching, fees and store are its own: it
shares nothing with the service that could be wrong on both sides.
"""

from __future__ import annotations

from .com import CoInitialize, CoUninitialize, Dispatch, DispatchWithEvents, PumpWaitingMessages, install, terminal
from .control import ControlServer
from .errors import com_error
from .terminal import Terminal, TerminalOptions

__all__ = [
    "CoInitialize",
    "CoUninitialize",
    "ControlServer",
    "Dispatch",
    "DispatchWithEvents",
    "PumpWaitingMessages",
    "Terminal",
    "TerminalOptions",
    "com_error",
    "install",
    "terminal",
]
