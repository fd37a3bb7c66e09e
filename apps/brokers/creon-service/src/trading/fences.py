"""What stands between a request and the wire: gate, lease, trading state. Read on the COM thread before the call."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from adapters.errors import NotSentError
from adapters.store import Store


@dataclass
class Fences:
    """Said on the event loop and read on the COM thread, so behind a lock."""

    store: Store
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        saved = self.store.setting("fences") or {}
        self.gate: str = saved.get("gate", "open")
        self.gate_reason: str | None = saved.get("gateReason")
        self.lease_epoch: int = saved.get("leaseEpoch", 0)
        self.trading_version: int = saved.get("tradingStateVersion", 0)

    def check(self, lease: int | None, version: int | None, is_cancel: bool) -> None:
        """With the lock held, which is let go of only when the request is marked as sent."""
        if lease is not None and lease < self.lease_epoch:
            raise NotSentError("STALE_LEASE", f"expected a lease of at least {self.lease_epoch}, found {lease}")
        self._begin(lease)
        if not is_cancel and self.gate == "halted":
            raise NotSentError("GATE_HALTED", "the gate of the broker is halted")
        if not is_cancel and version is not None and version < self.trading_version:
            raise NotSentError(
                "STALE_TRADING_STATE", f"expected a trading state of at least {self.trading_version}, found {version}"
            )
        if not is_cancel and version is not None and version > self.trading_version:
            self.trading_version = version
            self._save()

    def set_gate(self, state: str, reason: str, version: int | None) -> None:
        with self.lock:
            self.gate, self.gate_reason = state, reason or None
            if version is not None:
                self.trading_version = max(self.trading_version, version)
            self._save()

    def set_lease(self, epoch: int, version: int | None = None) -> bool:
        with self.lock:
            if epoch < self.lease_epoch:
                return False
            self._begin(epoch)
            if version is not None and version > self.trading_version:
                self.trading_version = version
                self._save()
            return True

    def _begin(self, lease: int | None) -> None:
        """A new owner has read the trading state itself: it counts from its own versions."""
        if lease is None or lease <= self.lease_epoch:
            return
        self.lease_epoch, self.trading_version = lease, 0
        self._save()

    def _save(self) -> None:
        self.store.set(
            "fences",
            {
                "gate": self.gate,
                "gateReason": self.gate_reason,
                "leaseEpoch": self.lease_epoch,
                "tradingStateVersion": self.trading_version,
            },
        )
