"""Callers: whom a piece of work is for, how long it may take, and whether anybody still waits for the answer.

The caller is set where a request's bearer is known; every task that works for it finds it in its context. Workers,
commands and tasks for many callers have none.
"""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from domain.errors import CallerGone, Refused, TimeLimit
from services.per_database import PerDatabase
from services.principals import Principal
from services.telemetry import STOPPED

STRANGERS = ""  # brand of all callers without a token: no brand has this name


class StoppableWork(Protocol):
    """Work of a caller's task that can be stopped."""

    def stop(self) -> None: ...


LOOK_SECONDS = 0.1  # between checks for documents whose time is over


class Clock:
    """The timer that stops documents whose time is over; one for all, as two timer calls per document cost more."""

    def __init__(self) -> None:
        self._due: dict[Caller, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def begin(self, caller: "Caller", seconds: float) -> None:
        """Stop the caller's document after so many seconds, unless it ends before."""
        self._due[caller] = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def end(self, caller: "Caller") -> None:
        """Remove the caller: the document is answered."""
        self._due.pop(caller, None)

    def _look(self) -> None:
        now = self._loop.time()
        for caller in [caller for caller, due in self._due.items() if due <= now]:
            del self._due[caller]
            caller.stop(TimeLimit)
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look) if self._due else None


clock = PerDatabase(Clock)


class Caller:
    """The bearer of one document. Used from one event loop.

    Reads, and a mutation's waiting before its transaction begins, are stopped when the document's time is over; reads
    also when nobody waits for the answer. Once a mutation's transaction has begun, the root field is finished, so that
    nothing is committed and then answered as a failure.
    """

    __slots__ = ("_clock", "_mutates", "_refusal", "_seconds_max", "bearer", "brand", "in_doubt", "pledged", "waiting")

    def __init__(self, bearer: Hashable, brand: Hashable, seconds_max: float) -> None:
        """`seconds_max`: how long the document may execute."""
        self.bearer = bearer
        self.brand = brand
        self.pledged = False  # the root field of the mutation is finished in any case
        self.in_doubt = False  # a commit was sent for that root field: a later failure does not undo it
        self.waiting: set[StoppableWork] = set()
        self._seconds_max = seconds_max
        self._clock: Clock | None = None  # time, once it executes
        self._refusal: type[Refused] | None = None  # stoppable work that is not done
        self._mutates = False

    @classmethod
    def of(cls, bearer: Principal | None, address: str, seconds_max: float) -> "Caller":
        """Return the caller of a request; a caller without a token is identified by its address."""
        if bearer is None:
            return cls(address, STRANGERS, seconds_max)
        key = bearer.key
        return cls(key, key if bearer.brand is None else bearer.brand, seconds_max)

    def begin(self, *, mutates: bool) -> None:
        """Start the document's time."""
        self._mutates, self._clock = mutates, clock()
        self._clock.begin(self, self._seconds_max)

    def end(self) -> None:
        """End the document: it is answered."""
        if self._clock is not None:
            self._clock.end(self)

    def begin_field(self) -> None:
        """Begin a root field of a mutation; nothing of it is committed yet."""
        self.pledged = self.in_doubt = False

    def pledge(self) -> None:
        """Note that something may be committed from now on: the root field is finished."""
        self.pledged = True

    def check(self) -> None:
        """Raise TimeLimit or CallerGone if the work is to stop."""
        if self._refusal is not None and not self.pledged:
            raise self.refusal()

    def refusal(self) -> Refused:
        """Return why its work was stopped."""
        assert self._refusal is not None, "it was stopped"
        return TimeLimit(seconds_max=f"{self._seconds_max:g}") if self._refusal is TimeLimit else self._refusal()

    @property
    def reads(self) -> bool:
        """Return whether the document is a query, whose lists may come from a standby."""
        return self._clock is not None and not self._mutates

    def leave(self) -> bool:
        """Stop its reads: nobody waits for the answer. Return False for a mutation, which is finished."""
        if not self._mutates:
            self.stop(CallerGone)
        return not self._mutates

    def stop(self, refusal: type[Refused]) -> None:
        """Refuse all work that is not done yet and end its waits; a pledged root field goes on."""
        if self._refusal is None:
            self._refusal = refusal
            if self._clock is not None:
                STOPPED.labels(refusal.code).inc()
            if not self.pledged:
                for one in list(self.waiting):
                    one.stop()


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
current = _caller.get
"""Return the caller of this task; None if it works for nobody or for many."""


@contextmanager
def acting_for(caller: Caller) -> Iterator[None]:
    """Set the caller for this task and the tasks that it starts."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
        caller.end()


class Stoppable:
    """A part of a task that its caller may stop: the task gets the refusal instead of a cancellation."""

    __slots__ = ("_caller", "_stopped", "_task")

    def __init__(self, caller: Caller) -> None:
        """Raise what the caller's `check` raises."""
        caller.check()
        task = asyncio.current_task()
        assert task is not None, "callers are served by tasks"
        self._caller, self._task, self._stopped = caller, task, False
        caller.waiting.add(self)

    def stop(self) -> None:
        """Cancel what the task waits for."""
        self._stopped = True
        self._task.cancel()

    def leave(self) -> None:
        """Exclude the part from stopping from now on."""
        self._caller.waiting.discard(self)

    def end(self, raised: BaseException | None) -> None:
        """End the part. Raises the refusal if it was stopped."""
        self.leave()
        if self._stopped and self._task.uncancel() == 0 and raised is not None:  # else others have cancelled it as well
            raise self._caller.refusal() from raised


@contextmanager
def stoppable() -> Iterator[None]:
    """Wait inside; stopping the caller ends the wait. Raises TimeLimit, CallerGone."""
    caller = current()
    if caller is None:
        yield
        return
    part = Stoppable(caller)
    try:
        yield
    except BaseException as raised:
        part.end(raised)
        raise
    part.end(None)
