"""The second edition's tables and columns; the SQL stands beside this file, its undoing in the `.down.sql`.

`MODELS_STATE` is what the models say after it, from which aerich finds what a later change of theirs needs.
"""

import json
from pathlib import Path

from aerich.utils import compress_dict
from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True
MODELS_STATE = compress_dict(json.loads(Path(__file__).with_suffix(".models.json").read_text()))


async def upgrade(db: BaseDBAsyncClient) -> str:
    """Return the SQL that aerich runs in its transaction."""
    return Path(__file__).with_suffix(".sql").read_text()


async def downgrade(db: BaseDBAsyncClient) -> str:
    """Return the SQL that brings the schema back to the first edition's."""
    return Path(__file__).with_suffix(".down.sql").read_text()
