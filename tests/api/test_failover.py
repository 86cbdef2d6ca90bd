"""A standby is promoted while the API serves: the API uses the newest primary, never an older one."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from config import database, sessions
from config import fence as fencing
from config.database import close_database, connection, migrate, open_database, pool
from config.errors import Problem
from services.availability import availability
from services.standby import standby
from tests.api.clients import until
from tests.api.outages import DEPOSIT, EVENTS, READ, back, elsewhere, lines, post, serving, unavailable
from tests.api.streams import emit
from tests.cluster.postgres import OWNER, Cluster
from tests.services.world import a_world, value

EVENT = "challengeEvents"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A migrated primary with a standby; the process has seen no timeline yet."""
    with Cluster() as made:
        made.start(standbys=1)
        asyncio.run(migrate(made.primary.url(OWNER)))
        yield made


async def test_after_a_failover_nothing_acknowledged_is_lost_and_subscribers_go_on(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    await elsewhere(cluster.be_synchronous)
    async with serving(cluster.url()) as api:
        world = await a_world(cluster.url(OWNER), price=0)
        challenge, _ = await world.buy()
        token = await api.token("MANAGER", "acme")
        async with api.follow(token, EVENTS) as events:
            await until(lambda: api.hub.subscribers == 1)
            await emit(challenge, {"n": 1})
            assert (await post(api, DEPOSIT, token, key="d1")).status_code == 200
            assert (await events.next())[EVENT]["payload"] == {"n": 1}
            caplog.clear()
            await elsewhere(cluster.primary.kill)
            unavailable(await post(api, READ, token))
            await elsewhere(cluster.promote)
            await back()
            await emit(challenge, {"n": 2})
            assert (await events.next())[EVENT]["payload"] == {"n": 2}
            assert await value("select count(*) from receipts where key = 'd1'") == 1
            assert (await post(api, READ, token)).status_code == 200
            away, returned = lines(caplog)
            assert away.startswith("the database is away")
            assert returned.endswith("as timeline 2 after 1")


async def test_an_old_primary_that_lives_on_is_written_to_no_more(cluster: Cluster) -> None:
    old, [new] = cluster.primary, cluster.standbys
    async with serving(cluster.url()) as api:
        await a_world(cluster.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        await elsewhere(cluster.wait_for, new)
        await elsewhere(cluster.promote)
        assert not old.is_standby(), "both take writes, and the old one stands first in the address"
        await until(lambda: (standing := availability().standing) is not None and standing.timeline == 2)
        await back()
        while (answer := await post(api, DEPOSIT, token, key="d1")).status_code == 503:
            unavailable(answer)  # the connection it had was cut off
        assert answer.status_code == 200
        receipts = "select count(*) from receipts where key = 'd1'"
        assert (old.value(receipts, "propdesk"), new.value(receipts, "propdesk")) == (0, 1)
        await elsewhere(new.kill)
        unavailable(await post(api, DEPOSIT, token, key="d2"))
        await until(lambda: "old primary" in (availability().reason or ""))
        assert old.value("select count(*) from receipts where key = 'd2'", "propdesk") == 0


async def test_one_that_starts_asks_every_server_and_takes_the_newest(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = cluster.primary
    await elsewhere(cluster.promote)
    monkeypatch.setattr(fencing.fence, "_newest", {})
    monkeypatch.setattr(sessions, "_surveyed", set())
    monkeypatch.setattr(fencing.fence, "_admitted", type(fencing.fence._admitted)())  # noqa: SLF001 - as in a new process
    async with connection(cluster.url(OWNER)) as conn:
        assert await conn.fetchval("select inet_server_port()") == cluster.primary.port
    await open_database(cluster.url(), pool_size=2, name="test")
    assert await value("select inet_server_port()") == cluster.primary.port
    await close_database()
    with pytest.raises(Problem, match="of timeline 1, and one of timeline 2 was promoted since"):
        await open_database(old.url(), pool_size=2, name="test")


async def test_a_standby_alone_is_no_database_to_start_on(cluster: Cluster) -> None:
    [standby] = cluster.standbys
    with pytest.raises(Problem, match="standby"):
        await open_database(standby.url(), pool_size=2, name="test")


async def test_a_server_that_does_not_answer_delays_nobody_once_another_is_the_primary(cluster: Cluster) -> None:
    async with serving(cluster.url()) as api:
        await a_world(cluster.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        await elsewhere(cluster.wait_for, cluster.standbys[0])
        frozen = cluster.primary
        try:
            await elsewhere(frozen.freeze)
            await elsewhere(cluster.promote)
            await until(lambda: (standing := availability().standing) is not None and standing.timeline == 2)
            await pool().expire_connections()
            began = time.monotonic()
            while (await post(api, READ, token)).status_code != 200:
                pass
            assert time.monotonic() - began < database.CONNECT_SECONDS_MAX, "it stands first in the address"
        finally:
            frozen.thaw()


async def test_a_standby_that_was_promoted_beside_its_primary_answers_nothing(cluster: Cluster) -> None:
    primary, [promoted] = cluster.primary, cluster.standbys
    async with serving(primary.url(), read_url=promoted.url()) as api:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        await until(lambda: standby().reason is None)
        await elsewhere(cluster.promote)
        await until(lambda: "timeline 2" in (standby().reason or ""))
        assert (await post(api, DEPOSIT, token, key="d1")).status_code == 200
        assert (await post(api, READ, token)).status_code == 200
