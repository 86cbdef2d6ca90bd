"""`verify` and `export` on a standby: it answers while it is near enough, and the primary where it is not."""

from collections.abc import Iterator

import pytest

from config.database import close_database, migrate, open_database
from tests.cli.commands import propdesk
from tests.cluster.postgres import OWNER, Cluster
from tests.services.world import a_world

pytestmark = pytest.mark.campaign


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as made:
        made.start(1)
        yield made


async def test_what_only_reads_asks_the_standby_and_the_primary_in_its_place(cluster: Cluster) -> None:
    [replica] = cluster.standbys
    await migrate(cluster.primary.url(OWNER))
    await open_database(cluster.primary.url(), pool_size=5, name="test")
    world = await a_world(cluster.primary.url(OWNER), price=0)
    await world.buy()
    await close_database()
    addresses = {"DATABASE_URL": cluster.primary.url(), "DATABASE_READ_URL": replica.url()}

    def run(*command: str) -> tuple[str, str]:
        done = propdesk(*command, **addresses, PROPDESK_READ_LAG_SECONDS_MAX="1")
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr

    for command in (("verify",), ("export", "ledger", "--from", "2026-01-01", "--to", "2027-01-01")):
        near, said = run(*command)
        assert f"database: 127.0.0.1:{replica.port}/propdesk" in said
        cluster.primary.query("create table if not exists more (number int)", "propdesk")
        replica.pause_replay()
        cluster.primary.query("insert into more values (1)", "propdesk")
        far, said = run(*command)
        assert "is not asked" in said
        assert f"database: 127.0.0.1:{cluster.primary.port}/propdesk" in said
        assert far == near
        replica.resume_replay()
        cluster.wait_for(replica)
    replica.kill()
    _, said = run("verify")
    assert "is not asked" in said


def test_a_read_address_that_is_none_is_refused_in_one_line() -> None:
    refused = propdesk("serve", DATABASE_URL="postgresql://x@127.0.0.1:1/x", DATABASE_READ_URL="mysql://y")
    assert refused.returncode != 0
    assert refused.stderr.splitlines()[-1].startswith("propdesk: DATABASE_READ_URL has the unsupported scheme 'mysql'")
