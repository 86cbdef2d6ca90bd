"""Values per open database: opening another database, on its own event loop, makes new ones."""

from collections.abc import Callable
from typing import Generic, TypeVar

import asyncpg

from config import database

Value = TypeVar("Value")


class PerDatabase(Generic[Value]):
    """One value for the open database, made at its first use."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._kept: tuple[asyncpg.Pool, Value] | None = None

    def __call__(self) -> Value:
        pool = database.pool()
        if self._kept is None or self._kept[0] is not pool:
            self._kept = pool, self._make()
        return self._kept[1]
