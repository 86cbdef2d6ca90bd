"""PostgreSQL is stopped at once and started again, in the middle of a pass and of a job: nothing acknowledged is lost."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config.database import close_database, migrate, open_database
from config.embedded import EmbeddedServer
from models import jobs as owed
from models import marks as marked
from models import sql
from services import jobs, marks, quotes
from tests.services.world import a_quote, a_world, act, books_hold, hurry, rows, settle, value


class Server(EmbeddedServer):
    """One that promises what a desk's own does: what is committed is written."""

    def restart(self) -> None:
        """Stop as a crash would, without a word to anybody, and start again."""
        self._command("pg_ctl", "-D", self.pgdata, "-w", "-m", "immediate", "stop")
        self.mend()


@pytest.fixture
async def own_server() -> AsyncIterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="propdesk-restart-"))
    server = Server(directory)
    url = server.start()
    try:
        await migrate(url)
        await open_database(url, pool_size=5, name="test")
        yield server
        await close_database()
    finally:
        server.stop()
        shutil.rmtree(directory)


MOMENTS = [(marked, "write"), (sql, "write_together"), (owed, "finish")]


async def test_a_restart_in_mid_pass_and_in_mid_job_loses_and_repeats_nothing(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(own_server.address, price=0)
    held = [await world.buy(f"k{n}") for n in range(len(MOMENTS))]
    for place, (module, name) in enumerate(MOMENTS):
        challenge, account = held[place]
        assert (await act(account, "OPEN", action_id="a1", quantity="1000000")).fill
        world.at += timedelta(minutes=1)
        await quotes.ingest([a_quote("EURUSD", "1.101", world.at)])
