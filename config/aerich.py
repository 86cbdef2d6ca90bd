"""What the `aerich` command needs: [tool.aerich] of pyproject.toml names the configuration here."""

from config.database import tortoise_config
from config.embedded import EmbeddedServer
from config.settings import settings

TORTOISE_ORM = tortoise_config(settings().database_url or EmbeddedServer(settings().data_dir).address, maxsize=2)
"""Of the database in DATABASE_URL, or of the embedded one, which has to run: aerich starts nothing."""
