"""Values a process keeps for the database it has open: the next one opened, on its own event loop, gets new ones."""

from collections.abc import Callable
from typing import Generic, TypeVar

import asyncpg

from config import database

Value = TypeVar("Value")


class PerDatabase(Generic[Value]):
    """One value for the open database, made when first asked for."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._kept: tuple[asyncpg.Pool, Value] | None = None

    def __call__(self) -> Value:
        pool = database.pool()
        if self._kept is None or self._kept[0] is not pool:
            self._kept = pool, self._make()
        return self._kept[1]
