"""Lists from a standby within the lag limit; a bearer always sees its own writes."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from config.database import connection, migrate
from models import standby as statements
from models.sql import Connection
from services.callers import Caller, acting_for
from services.connections import control
from services.standby import moment_old, standby
from services.telemetry import READS
from tests.api.clients import Api, until
from tests.api.outages import elsewhere, lines, serving
from tests.cluster.postgres import DATABASE, OWNER, Cluster
from tests.services.world import a_world

TRANSFERS = "{ transfers(first: 100) { nodes { id } totalCount } }"
DEPOSIT = """mutation ($key: String!) { depositToWallet(input: {
  client: "alice", currency: "USD", amount: "5", idempotencyKey: $key}) { wallet { id } userErrors { code } } }"""


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    """A migrated primary, and a standby whose replay does not wait for reads."""
    with Cluster(settings={"max_standby_streaming_delay": "0"}) as made:
        made.start(1)
        asyncio.run(migrate(made.primary.url(OWNER)))
        yield made


@pytest.fixture
def cluster(servers: Cluster) -> Iterator[Cluster]:
    """The servers with a new database, and the standby reset after the test before."""
    name = f"test_{uuid.uuid4().hex}"
    servers.primary.query(f"create database {name} template {DATABASE}")
    [replica] = servers.standbys
    servers.wait_for(replica)
    servers.primary.database = replica.database = name
    yield servers
    if not replica.answers():
        replica.start()
    replica.resume_replay()
    replica.set("recovery_min_apply_delay", None)
    servers.wait_for(replica)
    servers.primary.query(f"drop database {name} with (force)")


def answered() -> dict[str, float]:
    """Return the number of reads per server, and the reasons for reads on the primary."""
    samples = [sample for metric in READS.collect() for sample in metric.samples if sample.name.endswith("_total")]
    return {sample.labels["reason"] or sample.labels["server"]: sample.value for sample in samples}


def since(before: dict[str, float]) -> dict[str, float]:
    return {name: many - before.get(name, 0) for name, many in answered().items() if many > before.get(name, 0)}


async def many(api: Api, token: str) -> int:
    return len((await api.ask(TRANSFERS, token))["transfers"]["nodes"])


async def test_lists_come_from_the_standby_and_what_was_written_is_seen_at_once(cluster: Cluster) -> None:
    [replica] = cluster.standbys
    async with serving(cluster.primary.url(), read_url=replica.url(), read_lag_seconds_max=60) as api:
        await a_world(cluster.primary.url(OWNER), price=0)
        writer, reader = await api.token("MANAGER", "acme"), await api.token("ADMIN")
        await until(lambda: standby().reason is None)
        before = answered()
        at_first = await many(api, reader)
        assert since(before).get("standby", 0) >= 1
        replica.set("recovery_min_apply_delay", "1s")
        await asyncio.sleep(0.3)  # until its replay goes by it
        before = answered()
        for number in range(3):
            await api.ask(DEPOSIT, writer, key=f"d{number}")
            assert await many(api, writer) == at_first + 2 * (number + 1)
        assert since(before).get("written", 0) >= 1, "the standby could not have shown it"
        before = answered()
        assert await many(api, reader) <= at_first + 6
        assert set(since(before)) == {"standby"}, "a second's lag is near enough for whoever has not written"


async def test_a_write_in_another_process_counts_like_one_in_this(cluster: Cluster) -> None:
    [replica] = cluster.standbys
    async with serving(cluster.primary.url(), read_url=replica.url(), read_lag_seconds_max=60) as api:
        await a_world(cluster.primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        await until(lambda: standby().reason is None)
        await many(api, token)
        await elsewhere(cluster.wait_for, replica)
        replica.pause_replay()
        async with connection(cluster.primary.url(OWNER)) as other:
            key = await other.fetchval("select id from tokens where role = 'MANAGER'")
            await other.execute("insert into brands (name, title) values ('more', 'More')")
        before = answered()
        await many(api, token)
        assert set(since(before)) == {"standby"}
        async with control() as conn:  # as the other process announces it
            await statements.record_writers(conn, [repr((key, "acme", "manager"))])
        before = answered()
        await many(api, token)
        assert set(since(before)) == {"written"}


async def test_beyond_its_lag_a_standby_is_not_asked_and_afterwards_again(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    [replica] = cluster.standbys
    async with serving(cluster.primary.url(), read_url=replica.url(), read_lag_seconds_max=0.5) as api:
        await a_world(cluster.primary.url(OWNER), price=0)
        writer, reader = await api.token("MANAGER", "acme"), await api.token("ADMIN")
        await until(lambda: standby().reason is None)
        caplog.clear()
        replica.pause_replay()
        await api.ask(DEPOSIT, writer, key="d1")
        shown = await many(api, writer)
        await until(lambda: standby().reason is not None)
        before = answered()
        assert await many(api, reader) == shown
        assert set(since(before)) == {"behind"}
        replica.resume_replay()
        await until(lambda: standby().reason is None)
        before = answered()
        assert await many(api, reader) == shown
        assert set(since(before)) == {"standby"}
        behind, again = lines(caplog)
        assert "behind; the primary answers" in behind
        assert again == "the standby is asked again"


async def test_a_dead_standby_costs_one_line_and_no_read(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    [replica] = cluster.standbys
    async with serving(cluster.primary.url(), read_url=replica.url()) as api:
        await a_world(cluster.primary.url(OWNER), price=0)
        reader = await api.token("ADMIN")
        await until(lambda: standby().reason is None)
        caplog.clear()
        await elsewhere(replica.kill)
        for _ in range(5):
            assert await many(api, reader) > 0
        await until(lambda: standby().reason is not None)
        assert await many(api, reader) > 0
        assert len(lines(caplog)) == 1
        await elsewhere(replica.start)
        await until(lambda: standby().reason is None)
        before = answered()
        assert await many(api, reader) > 0
        assert set(since(before)) == {"standby"}


async def test_a_read_that_replay_cuts_off_is_read_from_the_primary(cluster: Cluster) -> None:
    [replica] = cluster.standbys
    async with serving(cluster.primary.url(), read_url=replica.url()):
        await a_world(cluster.primary.url(OWNER), price=0)
        await until(lambda: standby().reason is None)
        await elsewhere(cluster.wait_for, replica)
        asked: list[bool] = []

        async def read(conn: Connection) -> int:
            found: int = await conn.fetchval("select count(*) from instruments")
            asked.append(await conn.fetchval("select pg_is_in_recovery()"))
            if asked[-1]:
                async with connection(cluster.primary.url(OWNER)) as owner:
                    await owner.execute("update desk set mode = mode")
                    await owner.execute("update instruments set version = version + 1")
                    await owner.execute("vacuum instruments")
                async with asyncio.timeout(20):
                    while True:
                        await conn.fetchval("select count(*) from instruments")
                        await asyncio.sleep(0.02)
            return found

        caller = Caller("somebody", "acme", 60)
        with acting_for(caller):
            caller.begin(mutates=False)
            before = answered()
            assert await moment_old(read, whole=True) > 0
        assert asked == [True, False]
        assert set(since(before)) == {"conflict"}
