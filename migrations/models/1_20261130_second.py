"""The second edition's tables and columns; the SQL stands beside this file, its undoing in the `.down.sql`."""

from pathlib import Path

from aerich.utils import compress_dict, get_models_describe
from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


def __getattr__(name: str) -> str:
    """Return MODELS_STATE: what the models say now, until this edition is released."""
    if name == "MODELS_STATE":
        return compress_dict(get_models_describe("models"))
    raise AttributeError(name)


async def upgrade(db: BaseDBAsyncClient) -> str:
    """Return the SQL that aerich runs in its transaction."""
    return Path(__file__).with_suffix(".sql").read_text()


async def downgrade(db: BaseDBAsyncClient) -> str:
    """Return the SQL that brings the schema back to the first edition's."""
    return Path(__file__).with_suffix(".down.sql").read_text()
