"""Names of Tortoise's connections that it does not document as public, used here alone.

`tests/config/test_driver_internals.py` fails with the name when a new version of Tortoise changes one. Those of its
models and fields are in `models/tables/tortoise_internals.py`.
"""

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.context import TortoiseContext

__all__ = ["TransactionWrapper", "init_for_all_tasks", "pool_of", "transaction_client"]


async def init_for_all_tasks(context: TortoiseContext, config: dict[str, Any]) -> None:
    """Initialise a context that every task without a context of its own uses."""
    await context.init(config=config, _enable_global_fallback=True)


def pool_of(client: AsyncpgDBClient) -> asyncpg.Pool:
    """Return the pool of a client outside a transaction."""
    pool = client._pool  # noqa: SLF001 - no public name
    assert pool is not None, "the client has run a statement"
    return pool


def transaction_client(parent: AsyncpgDBClient, conn: asyncpg.Connection) -> TransactionWrapper:
    """Return a client whose statements run on `conn`, in the transaction that is open there."""
    client = TransactionWrapper(parent)
    client._connection = conn  # noqa: SLF001 - no public name
    return client
