"""PostgreSQL is stopped as by a crash and started again in mid-pass and in mid-job: nothing acknowledged is lost."""

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
from models import sql
from models.columnar import marks as marked
from services import quarantine, quotes
from services.columnar import passes
from tests.conftest import room
from tests.services.world import a_quote, a_world, act, books_hold, hurry, rows, settle, value

MOMENTS = [(marked, "write_marks"), (sql, "write_together"), (owed, "finish_job")]
"""The marks of a pass, its verdicts, and a job that has been done."""


class Server(EmbeddedServer):
    """One that does not trade durability for speed, as the other tests' does."""

    def restart(self) -> None:
        """Stop as a crash would, without a word to anybody, and start again."""
        self._command("pg_ctl", "-D", self.pgdata, "-w", "-m", "immediate", "stop")
        self.mend()


@pytest.fixture
async def own_server() -> AsyncIterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="propdesk-restart-", dir=room()))
    server = Server(directory)
    server.start()
    try:
        await migrate(server.address)
        await open_database(server.address, pool_size=5, name="test")
        yield server
        await close_database()
    finally:
        server.stop()
        shutil.rmtree(directory)


def restart_once(monkeypatch: pytest.MonkeyPatch, server: Server, module: Any, name: str) -> list[str]:
    """Restart the server when a statement of the models has been done and its transaction has not; says so."""
    statement, restarted = getattr(module, name), list[str]()

    async def interrupted(*args: Any) -> Any:
        answer = await statement(*args)
        if not restarted:
            restarted.append(name)
            server.restart()
        return answer

    monkeypatch.setattr(module, name, interrupted)
    return restarted


async def persist() -> None:
    """Mark, judge and work as often as it takes."""
    while await value("select exists (select from jobs where status = 'QUEUED')"):
        await hurry()
        await settle()


async def test_a_restart_in_mid_pass_and_in_mid_job_loses_nothing_and_repeats_nothing(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world(own_server.address, price=0)
    for n, (module, name) in enumerate(MOMENTS):
        challenge, account = await world.buy(f"k{n}")
        await act(account, "OPEN", action_id="a1", quantity="1000000")
        await passes.mark_shard(0)
        for mid in ("1.101", "1.09"):
            world.at += timedelta(minutes=1)
            await quotes.ingest([a_quote("EURUSD", mid, world.at)])
        accepted = await value("select max(number) from batches")
        with monkeypatch.context() as patch:
            restarted = restart_once(patch, own_server, module, name)
            with suppress(*quarantine.TROUBLES):  # which the actor logs; then the next message comes
                await settle()
            assert restarted == [name]
            with suppress(*quarantine.TROUBLES):  # each dead connection of the pool is found out once
                await passes.mark_shard(0)
        await passes.mark_shard(0)
        await persist()
        assert await value("select max(number) from batches") == accepted
        assert await rows("select rule, batch from breaches where challenge_id = $1", challenge) == [
            {"rule": "MAX_TOTAL_LOSS", "batch": accepted}
        ], name
        closed = "select count(*) from fills where verb = 'CLOSE' and account_id = $1"
        assert await value(closed, account) == 1, name
        await world.quote("1.1")
    await books_hold()
