"""The one thread that owns every COM object: it takes jobs by priority and budget, and pumps messages in between.

COM objects are apartment-threaded, and a call may not come back for a long time (the request limiter, a confirmation
window). So nobody waits for the thread itself: who asked is answered by a future, and who looks sees what it is at.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from domain.words import Priority
from rate_limiter import Budget, RateLimiter

from .com import ComModule
from .errors import CallTimeoutError, NoRoomError, UnavailableError

T = TypeVar("T")
PUMP_SECONDS = 0.01
log = logging.getLogger("creon.sta")


@dataclass(eq=False)
class Job(Generic[T]):
    name: str
    work: Callable[[], T]
    priority: Priority
    budget: Budget | None
    # Not begun after this moment (monotonic µs); what was begun is not broken off.
    begin_before_us: int
    future: Future[T] = field(default_factory=Future)
    began_us: int | None = None


@dataclass(frozen=True)
class Occupation:
    """What the thread is at, for how long."""

    name: str
    for_us: int


class StaThread:
    def __init__(self, com: ComModule, limiters: Mapping[Budget, RateLimiter], now_us: Callable[[], int]) -> None:
        self._com = com
        self._limiters = limiters
        self.now_us = now_us
        self._queue: list[tuple[Priority, int, Job[object]]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._stopping = False
        self._current: Job[object] | None = None
        self._thread = threading.Thread(target=self._run, name="creon-sta", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> bool:
        """False if the thread hangs in a call; a process that ends takes it along."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def occupation(self) -> Occupation | None:
        job = self._current
        if job is None or job.began_us is None:
            return None
        return Occupation(job.name, self.now_us() - job.began_us)

    def submit(
        self, name: str, work: Callable[[], T], priority: Priority, budget: Budget | None, wait_us: int
    ) -> Job[T]:
        job = Job(name, work, priority, budget, self.now_us() + wait_us)
        with self._wake:
            if self._stopping:
                raise UnavailableError("the service stops")
            self._queue.append((priority, next(self._order), job))  # type: ignore[arg-type]
            self._queue.sort(key=lambda entry: entry[:2])
            self._wake.notify()
        return job

    async def call(
        self, name: str, work: Callable[[], T], priority: Priority, budget: Budget | None, wait_us: int
    ) -> T:
        """For questions: whoever gives up waiting may ask again; without room in that time nobody waits."""
        if budget is not None and (room_in_us := self._limiters[budget].wait_us(priority)) >= wait_us:
            raise NoRoomError(budget, name, room_in_us)
        job = self.submit(name, work, priority, budget, wait_us)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(job.future)), wait_us / 1_000_000)
        except asyncio.TimeoutError:
            if self.withdraw(job):
                if budget is not None and (room_in_us := self._limiters[budget].wait_us(priority)) > 0:
                    raise NoRoomError(budget, name, room_in_us) from None
                raise UnavailableError(f"{name} waited {wait_us // 1000} ms behind {self._busy_with()}") from None
            raise CallTimeoutError(f"{name} has not come back for {wait_us // 1000} ms") from None

    def withdraw(self, job: Job[T]) -> bool:
        """True if it had not begun, and never will."""
        with self._wake:
            before = len(self._queue)
            self._queue = [entry for entry in self._queue if entry[2] is not job]
            return len(self._queue) < before

    def _busy_with(self) -> str:
        occupation = self.occupation()
        return "other requests" if occupation is None else f"{occupation.name}, which has not come back"

    def _run(self) -> None:
        self._com.CoInitialize()
        try:
            while True:
                job = self._next()
                if job is not None:
                    self._do(job)
                elif self._stopping:
                    return
                self._pump()
        finally:
            self._com.CoUninitialize()

    def _next(self) -> Job[object] | None:
        with self._wake:
            if not self._queue and not self._stopping:
                self._wake.wait(PUMP_SECONDS)
            now = self.now_us()
            for place, (priority, _, job) in enumerate(self._queue):
                if now >= job.begin_before_us:
                    del self._queue[place]
                    job.future.set_exception(self._too_late(job))
                    return None
                if job.budget is None or self._limiters[job.budget].try_take(priority):
                    del self._queue[place]
                    job.began_us = now
                    self._current = job
                    return job
            if self._queue and not self._stopping:
                # All of them wait for their budget.
                self._wake.wait(PUMP_SECONDS)
            return None

    def _too_late(self, job: Job[object]) -> Exception:
        if job.budget is not None and (room_in_us := self._limiters[job.budget].wait_us(job.priority)) > 0:
            return NoRoomError(job.budget, job.name, room_in_us)
        return UnavailableError(f"{job.name} waited too long behind other requests")

    def _do(self, job: Job[object]) -> None:
        try:
            result = job.work()
        except BaseException as error:
            self._current = None
            job.future.set_exception(error)
        else:
            self._current = None
            job.future.set_result(result)

    def _pump(self) -> None:
        try:
            self._com.PumpWaitingMessages()
        except Exception:
            # A handler of ours only queues; what fails here is the COM server going away, which the watchdog sees.
            log.warning("pumping messages failed", exc_info=True)
