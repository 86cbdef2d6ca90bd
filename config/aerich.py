"""The configuration of the `aerich` command, named by [tool.aerich] in pyproject.toml."""

import json

from aerich.coder import encoder
from aerich.utils import get_models_describe
from tortoise.context import TortoiseContext

from config.database import owner_config
from config.embedded import EmbeddedServer
from config.settings import settings
from config.tortoise_internals import init_for_all_tasks

TORTOISE_ORM = owner_config(settings().migration_url or EmbeddedServer(settings().data_dir).address)
"""Of the database in OWNER_DATABASE_URL or DATABASE_URL; or of the embedded one, if it runs: aerich starts nothing."""


async def models_state() -> str:
    """Return the models as aerich describes them, as JSON with a line for each; needs no database."""
    async with TortoiseContext() as context:
        await init_for_all_tasks(context, TORTOISE_ORM)
        described = get_models_describe("models")
    described.pop("models.Aerich")  # aerich compares all models but its own
    lines = [f"{json.dumps(name)}: {encoder(described[name])}" for name in sorted(described)]
    return "{\n" + ",\n".join(lines) + "\n}\n"
