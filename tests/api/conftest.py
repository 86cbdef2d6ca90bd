"""The fixture of the API: a real server on a free port, for clients over HTTP and websockets."""

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from tests.api.clients import Api
from tests.api.servers import running_api


@pytest.fixture
async def api(empty_database: str) -> AsyncIterator[Api]:
    """A server on a database of this test's own; its pool is open in this process, too."""
    async with running_api(Settings(database_url=empty_database, tick_seconds=0.05)) as api:
        yield api
