"""Who a piece of work is for, how long it may take, and whether anybody still waits for its answer.

A caller is bound where the bearer of a request is known; every task that works for it finds it in its context. Nobody
is bound in workers and commands, nor in tasks that work for many callers at once.
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

STRANGERS = ""  # the brand of all callers without a token: no brand has this name


class StoppableWork(Protocol):
    """Something that a caller's task waits for, or does, and that may be stopped."""

    def stop(self) -> None: ...


LOOK_SECONDS = 0.1  # between looks for documents whose time is over


class Clock:
    """Stops the documents whose time is over. One timer for all of them: two calls for each would cost it more."""

    def __init__(self) -> None:
        self._due: dict[Caller, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def begin(self, caller: "Caller", seconds: float) -> None:
        """Stop the caller's document after so many seconds, unless it has ended by then."""
        self._due[caller] = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def end(self, caller: "Caller") -> None:
        """The document is answered."""
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

    Its reads, and what a mutation waits for before its transaction begins, are stopped when its time is over; reads
    also when nobody waits for the answer. From the beginning of a transaction on a mutation's root field is finished,
    so that nothing is committed and then answered as a failure.
    """

    __slots__ = ("_clock", "_mutates", "_refusal", "_seconds_max", "bearer", "brand", "in_doubt", "pledged", "waiting")

    def __init__(self, bearer: Hashable, brand: Hashable, seconds_max: float) -> None:
        """`seconds_max`: how long the execution of its document may take."""
        self.bearer = bearer
        self.brand = brand
        self.pledged = False  # the root field of the mutation is to be finished
        self.in_doubt = False  # a commit was sent for that root field: what fails from now on does not undo it
        self.waiting: set[StoppableWork] = set()
        self._seconds_max = seconds_max
        self._clock: Clock | None = None  # once it is executed
        self._refusal: type[Refused] | None = None  # of what is still to be done
        self._mutates = False

    @classmethod
    def of(cls, bearer: Principal | None, address: str, seconds_max: float) -> "Caller":
        """The caller of a request; callers without a token go by their address."""
        if bearer is None:
            return cls(address, STRANGERS, seconds_max)
        key = bearer.key
        return cls(key, key if bearer.brand is None else bearer.brand, seconds_max)

    def begin(self, *, mutates: bool) -> None:
        """Execute its document: from now on its time runs."""
        self._mutates, self._clock = mutates, clock()
        self._clock.begin(self, self._seconds_max)

    def end(self) -> None:
        """The document is answered."""
        if self._clock is not None:
            self._clock.end(self)

    def begin_field(self) -> None:
        """Begin a root field of a mutation, of which nothing is committed yet."""
        self.pledged = self.in_doubt = False

    def pledge(self) -> None:
        """Something may be committed from now on: the root field is finished."""
        self.pledged = True

    def check(self) -> None:
        """Raises TimeLimit or CallerGone where the work is not to go on."""
        if self._refusal is not None and not self.pledged:
            raise self.refusal()

    def refusal(self) -> Refused:
        """Why its work was stopped."""
        assert self._refusal is not None, "it was stopped"
        return TimeLimit(seconds_max=f"{self._seconds_max:g}") if self._refusal is TimeLimit else self._refusal()

    @property
    def reads(self) -> bool:
        """Is its document a query, whose lists may be a moment old?"""
        return self._clock is not None and not self._mutates

    def leave(self) -> bool:
        """Stop its reads, as nobody waits for the answer. False for a mutation, which is finished."""
        if not self._mutates:
            self.stop(CallerGone)
        return not self._mutates

    def stop(self, refusal: type[Refused]) -> None:
        """Refuse whatever is not done yet, and end what it waits for; a root field that is pledged goes on."""
        if self._refusal is None:
            self._refusal = refusal
            if self._clock is not None:
                STOPPED.labels(refusal.code).inc()
            if not self.pledged:
                for one in list(self.waiting):
                    one.stop()


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)
current = _caller.get
"""The caller of this task; None where it works for nobody, or for many."""


@contextmanager
def acting_for(caller: Caller) -> Iterator[None]:
    """Work for the caller, in this task and those it starts."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
        caller.end()


class Stoppable:
    """A part of a task's work that its caller may stop: instead of being cancelled, the task gets the refusal."""

    __slots__ = ("_caller", "_stopped", "_task")

    def __init__(self, caller: Caller) -> None:
        """Raises what the caller's `check` raises."""
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
        """From now on the part is not to be stopped."""
        self._caller.waiting.discard(self)

    def end(self, raised: BaseException | None) -> None:
        """The part has ended. Raises the refusal where it was stopped."""
        self.leave()
        if self._stopped and self._task.uncancel() == 0 and raised is not None:  # else others have cancelled it, too
            raise self._caller.refusal() from raised


@contextmanager
def stoppable() -> Iterator[None]:
    """Wait inside, until the caller's work is to be stopped. Raises TimeLimit, CallerGone."""
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
