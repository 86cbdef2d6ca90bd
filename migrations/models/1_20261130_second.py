"""The second edition's tables and columns; the SQL stands beside this file, its undoing in the `.down.sql`."""

from pathlib import Path

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    """Return the SQL that aerich runs in its transaction."""
    return Path(__file__).with_suffix(".sql").read_text()


async def downgrade(db: BaseDBAsyncClient) -> str:
    """Return the SQL that brings the schema back to the first edition's."""
    return Path(__file__).with_suffix(".down.sql").read_text()
