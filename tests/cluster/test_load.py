"""The harness itself: a desk under load comes out clean, and whatever is then lost or doubled is named."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from tests.cluster.comparison import compare, newest_event
from tests.cluster.desk import Desk, running
from tests.cluster.journal import Journal, Outcome
from tests.cluster.load import Settings, working

pytestmark = pytest.mark.campaign

BROKEN: Mapping[str, str] = {
    "receipts": "delete from receipts where (operation, key) = (select operation, key from receipts limit 1)",
    "done once": "update transfers set cause = 'deposit again' where kind = 'DEPOSIT'",
    "audit": "update audit set reason = (select reason from audit where operation = 'adjustAccount' limit 1)",
    "actions": "delete from decision_actions where seq = (select min(seq) from decision_actions)",
    "orders": "update orders set status = 'WORKING', ended_at = null where status = 'CANCELLED'",
    "quotes": "delete from quotes where batch = (select max(batch) from quotes)",
    "events": "update events set name = 'prop.other' where position = 3",
    "nothing waits": "update jobs set status = 'DEAD' where id = 1",
}
"""A check of the comparison, and what makes it find something."""


async def test_a_desk_under_load_is_as_its_journal_says_and_what_is_lost_is_named(
    empty_database: str, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, empty_database, apis=2, workers=1)
    with Journal(tmp_path / "journal") as journal:
        await _work(desk, journal, empty_database)
    assert journal.summary()[Outcome.UNKNOWN] == 0
    assert {request.operation for request in journal.of()} > {"buyChallenge", "submitDecisionActions", "voidQuotes"}
    assert compare(empty_database, journal) == []
    assert compare(empty_database, Journal.read(journal.path)) == [], "as another process reads it"
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")  # no trigger keeps what is append-only
        for check, breaking in BROKEN.items():
            conn.execute(breaking.encode())
            assert check in {finding.check for finding in compare(empty_database, journal)}, check


async def _work(desk: Desk, journal: Journal, url: str) -> None:
    """Every verb once, some seconds of load, and the calm after it."""
    async with running(desk), working(desk, journal, Settings(subscribers=2, verbs_second=20)) as load:
        await load.one_of_each()
        work = asyncio.create_task(load.run())
        await asyncio.sleep(6)
        load.stop()
        await work
        await load.settled()
        await load.all_events_came(newest_event(url))
