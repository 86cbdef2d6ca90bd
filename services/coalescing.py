"""Coalesced reads: one statement at a time, each for all callers that wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import Context
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Coalesced(Generic[Key, Value]):
    """Reads of values by key. Used from one event loop.

    A read begins after everyone whom it answers has asked, so no answer is older than its question. A question during a
    read is answered by the next read.
    """

    def __init__(self, read: Callable[[Collection[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._read = read
        self._waiting: list[tuple[Key, asyncio.Future[Value | None]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, key: Key) -> "asyncio.Future[Value | None]":
        """Return the future value of the key; None if there is none. It raises what the read raises."""
        answer: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), context=Context())  # it works for many callers
        return answer

    async def get(self, key: Key) -> Value | None:
        """Return the value of the key as `ask` has it."""
        return await self.ask(key)

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                await self._answer(waiting)
        finally:
            self._task = None

    async def _answer(self, waiting: list[tuple[Key, asyncio.Future[Value | None]]]) -> None:
        try:
            values = await self._read({key for key, _ in waiting})
        except BaseException as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            if not isinstance(error, Exception):
                raise
            return
        for key, answer in waiting:
            if not answer.done():  # its caller has been cancelled
                answer.set_result(values.get(key))
