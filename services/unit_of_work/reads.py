"""Connections without a transaction of the unit of work: for reads, and for single statements that write."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.sql import Connection
from services.connections import Lease


class read_connection(Lease):  # noqa: N801 - used like the functions beside it
    """A connection for reads, without a transaction."""

    __slots__ = ()


class write_connection(Lease):  # noqa: N801 - used like the functions beside it
    """A connection for single statements that write; each commits by itself."""

    __slots__ = ()


@asynccontextmanager
async def read_snapshot(lease: type[Lease] = Lease) -> AsyncIterator[Connection]:
    """Open one consistent view of the whole database, for reading only."""
    async with lease() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn
