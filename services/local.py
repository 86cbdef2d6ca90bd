"""Values a process keeps for the database it has open: another database, or another event loop, gets its own."""

from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import asyncpg

from config import database

Value = TypeVar("Value")


class Local(Generic[Value]):
    """One value per open database, made when first asked for."""

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._values: WeakKeyDictionary[asyncpg.Pool, Value] = WeakKeyDictionary()

    def __call__(self) -> Value:
        pool = database.pool()
        if pool not in self._values:
            self._values[pool] = self._make()
        return self._values[pool]
