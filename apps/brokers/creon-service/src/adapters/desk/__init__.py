"""Every COM object of the service, used on its one thread only."""

from __future__ import annotations

from ..com import ComModule
from .market import MarketDesk
from .objects import ComObjects
from .realtime import DeskEvents, Realtime
from .trade import TradeDesk


class Desk:
    def __init__(self, com: ComModule, events: DeskEvents) -> None:
        # Raised by any object at any word, once its HTS is gone.
        self.com_error = com.com_error
        self._objects = ComObjects(com, events.on_disconnect)
        self.trade = TradeDesk(self._objects)
        self.market = MarketDesk(self._objects)
        self.realtime = Realtime(com, events)

    def is_connected(self) -> bool:
        return self._objects.is_connected()

    def forget(self) -> None:
        self._objects.forget()
        self.realtime.forget()
