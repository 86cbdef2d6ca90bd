"""deploy/roles makes the two logins of a desk of one's own PostgreSQL."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.address import sibling
from config.database import connection, migrate
from config.embedded import BINARIES, EmbeddedServer
from tests.deploy.programs import DEPLOY


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of the test's own: roles belong to all its databases."""
    folder = tmp_path if os.geteuid() else Path(tempfile.mkdtemp(prefix="propdesk-roles-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    server = EmbeddedServer(folder, throwaway=True)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


async def test_the_owner_migrates_what_the_services_cannot_change(postgres: EmbeddedServer) -> None:
    environment = os.environ | {"PGHOST": str(postgres.pgdata), "PGUSER": "postgres"}
    environment |= {
        "OWNER_PASSWORD": "it's \\ a \"secret",
        "APP_PASSWORD": "other",
        "PATH": f"{BINARIES}:/usr/bin:/bin",
    }
    async with connection(sibling(postgres.address, "postgres")) as superuser:
        await superuser.execute("alter database propdesk rename to other")
    for _ in range(2):
        await asyncio.to_thread(subprocess.run, [DEPLOY / "roles"], env=environment, check=True)
    owner = f"postgresql://propdesk_owner@/propdesk?host={postgres.pgdata}"
    assert await migrate(owner, None, "propdesk_app")
    services = f"postgresql://propdesk_app@/propdesk?host={postgres.pgdata}"
    async with connection(services) as conn:
        assert await conn.fetchval("select count(*) from challenges") == 0
        assert not await conn.fetchval("select rolsuper or rolcreaterole from pg_roles where rolname = current_user")
        assert (
            await conn.fetchval("select pg_get_userbyid(datdba) from pg_database where datname = current_database()")
            == "propdesk_owner"
        )
