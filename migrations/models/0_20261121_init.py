"""The desk's tables; the SQL stands beside this file."""

from pathlib import Path

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    """The SQL aerich runs, in its transaction."""
    return Path(__file__).with_suffix(".sql").read_text()


async def downgrade(db: BaseDBAsyncClient) -> str:
    """There is nothing before the first migration."""
    return ""
