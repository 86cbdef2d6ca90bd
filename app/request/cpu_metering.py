"""Processor time of one request: the steps of its tasks are measured, the waiting between them is not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")
Spend = Callable[[float], None]

_spend: ContextVar[Spend | None] = ContextVar("spend", default=None)  # of the work that runs now


class MeteredWork(Generic[Value]):
    """An awaitable that runs the work and passes the processor seconds of each step to `spend`."""

    def __init__(self, work: Awaitable[Value], spend: Spend) -> None:
        self._work = work
        self._spend = spend

    def __await__(self) -> Generator[Any, Any, Value]:
        steps: Any = self._work.__await__()
        resume, argument = steps.send, None
        outer = _spend.set(self._spend)
        try:
            while True:
                began = time.thread_time()
                try:
                    waits_for = resume(argument)
                except StopIteration as end:
                    value: Value = end.value
                    return value
                finally:
                    self._spend(time.thread_time() - began)
                try:
                    resume, argument = steps.send, (yield waits_for)
                except BaseException as raised:  # noqa: BLE001 - the work has to get it
                    resume, argument = steps.throw, raised
        finally:
            with suppress(ValueError):  # closed in another context, as at garbage collection
                _spend.reset(outer)


class _MeteredCoroutine(Coroutine[Any, Any, Any]):
    """A coroutine whose steps are metered; tasks run it."""

    __slots__ = ("_spend", "_work")

    def __init__(self, work: Coroutine[Any, Any, Any], spend: Spend) -> None:
        self._work = work
        self._spend = spend

    def send(self, value: Any) -> Any:
        began = time.thread_time()
        try:
            return self._work.send(value)
        finally:
            self._spend(time.thread_time() - began)

    def throw(self, *raised: Any) -> Any:
        began = time.thread_time()
        try:
            return self._work.throw(*raised)
        finally:
            self._spend(time.thread_time() - began)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()


def meter_tasks() -> None:
    """Meter the tasks that metered work starts on the running loop as part of that work."""
    asyncio.get_running_loop().set_task_factory(_task)


def _task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **options: Any
) -> "asyncio.Task[Any]":
    spend = _spend.get()
    if spend is not None and isinstance(work, Coroutine):
        work = _MeteredCoroutine(work, spend)
    return asyncio.Task(work, loop=loop, **options)
