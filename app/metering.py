"""Processor time of one request among many: only the steps of its own task count, not the waiting between them."""

import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class Metered(Generic[Value]):
    """Awaits the work, and tells `spend` the processor seconds of each of its steps."""

    def __init__(self, work: Awaitable[Value], spend: Callable[[float], None]) -> None:
        self._work = work
        self._spend = spend

    def __await__(self) -> Generator[Any, Any, Value]:
        steps: Any = self._work.__await__()
        resume, argument = steps.send, None
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
            except BaseException as raised:  # noqa: BLE001 - whatever it is, the work has to see it
                resume, argument = steps.throw, raised
