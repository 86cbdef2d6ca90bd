"""Outages of the database: callers get an error at once, and open connections stay."""

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect

from app import endpoint
from app.live import hub
from config import database
from config import fence as fencing
from config.database import connection, migrate, pool
from config.errors import Problem
from services.availability import availability
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, Api, send, until
from tests.api.outages import DEPOSIT, EVENTS, READ, back, elsewhere, lines, post, serving, unavailable
from tests.api.streams import emit
from tests.cluster.postgres import DATABASE, OWNER, SYNCHRONOUS, Cluster, Server
from tests.services.world import a_world, act, value

LINKED = "subscription { challengeEvents { cursor name payload challenge { id status } } }"
TICKS = "subscription ($id: ID!) { accountUpdates(accountId: $id) { id equity positions { nodes { id } } } }"
ANSWER_SECONDS_MAX = 2.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A primary without a standby, its database migrated."""
    with Cluster(settings={"max_connections": "40", "superuser_reserved_connections": "3"}) as made:
        made.start(standbys=0)
        asyncio.run(migrate(made.primary.url(OWNER)))
        yield made


@pytest.fixture
def primary(cluster: Cluster) -> Iterator[Server]:
    """The primary, with a database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    cluster.primary.query(f"create database {name} template {DATABASE}")
    cluster.primary.database = name
    yield cluster.primary
    cluster.primary.query(f"drop database {name} with (force)")


async def test_callers_are_told_at_once_and_who_is_connected_misses_and_repeats_nothing(
    primary: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(primary.url()) as api:
        world = await a_world(primary.url(OWNER), price=0)
        challenge, account = await world.buy()
        token = await api.token("MANAGER", "acme")
        async with (
            api.follow(token, EVENTS) as events,
            api.follow(token, LINKED) as linked,
            api.follow(token, TICKS, id=str(account)) as ticks,
        ):
            assert (await ticks.next())["accountUpdates"]["positions"]["nodes"] == []
            await until(lambda: api.hub.subscribers == 2)
            await emit(challenge, {"n": 1})
            for follower in (events, linked):
                assert (await follower.next())["challengeEvents"]["payload"] == {"n": 1}
            caplog.clear()

            await elsewhere(primary.kill)
            began = time.monotonic()
            for accept in ("application/json", "application/graphql-response+json"):
                assert unavailable(await post(api, READ, token, accept))["inDoubt"] is False
            unavailable(await post(api, DEPOSIT, token, key="k"))
            assert time.monotonic() - began < ANSWER_SECONDS_MAX
            assert (await api.http.get("/healthz")).status_code == 200
            ready = await api.http.get("/readyz")
            assert (ready.status_code, list(ready.json()["missing"])) == (503, ["database"])
            await until(lambda: availability().reason is not None)
            unavailable(await post(api, READ, token))
            await asyncio.gather(*(post(api, READ, token) for _ in range(20)))
            asking = asyncio.create_task(_subscribed_meanwhile(api, token))
            await asyncio.sleep(0.5)

            await elsewhere(primary.start)
            await back()
            await until(lambda: api.hub.subscribers == 3)
            assert (await act(account, "OPEN", action_id="a1", quantity="1000")).status == "EXECUTED"
            await emit(challenge, {"n": 2})
            for follower in (events, linked):
                assert (await follower.next())["challengeEvents"]["payload"] == {"n": 2}
            while not (await ticks.next())["accountUpdates"]["positions"]["nodes"]:
                pass
            assert (await asking)["challengeEvents"]["name"] == "prop.challenge.warning"
            assert (await post(api, READ, token)).json()["data"]["challenges"]["nodes"]
            answered = await post(api, DEPOSIT, token, key="k")
            assert answered.json()["data"]["depositToWallet"]["userErrors"] == []
        assert [line.split(":")[0].split(" after ")[0] for line in lines(caplog)] == [
            "the database is away",
            "the database is back",
        ]


async def _subscribed_meanwhile(api: Api, token: str) -> Any:
    """Return the first message on a websocket that is opened during an outage."""
    async with api.follow(token, EVENTS) as follower:
        return await follower.next()


async def test_a_mutation_whose_commit_was_under_way_says_so_and_the_same_key_gives_its_result(primary: Server) -> None:
    async with serving(primary.url()) as api:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        await api.ask(READ, token)  # now its token is known to be in use
        primary.set(SYNCHRONOUS, "nobody")  # so each commit waits for a standby that is not there
        try:
            asking = asyncio.create_task(post(api, DEPOSIT, token, key="k1"))
            waits = "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and query like 'COMMIT%'"
            while not await elsewhere(primary.value, waits):
                await asyncio.sleep(0.01)
            await elsewhere(primary.kill)
            extensions = unavailable(await asking)
            assert extensions["inDoubt"] is True
        finally:
            await elsewhere(primary.start)
            primary.set(SYNCHRONOUS, None)
        await back()
        before = await value("select count(*) from transfers")
        answer = (await post(api, DEPOSIT, token, key="k1")).json()["data"]["depositToWallet"]
        assert answer["userErrors"] == []
        assert await value("select count(*) from transfers") == before, "it had been done"
        assert await value("select count(*) from receipts where key = 'k1'") == 1


async def test_a_mutation_that_had_not_come_to_its_commit_was_not_done(primary: Server) -> None:
    async with serving(primary.url()) as api:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        async with connection(primary.url(OWNER)) as other:
            await other.execute("begin; select from wallets for update")
            asking = asyncio.create_task(post(api, DEPOSIT, token, key="k1"))
            waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
            while not await elsewhere(primary.value, waits):
                await asyncio.sleep(0.01)
            await elsewhere(primary.kill)
            assert unavailable(await asking)["inDoubt"] is False
            await elsewhere(primary.start)
        await back()
        assert await value("select count(*) from receipts where key = 'k1'") == 0


async def test_a_server_that_does_not_answer_is_away_and_its_connections_wait_for_nothing(
    primary: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "ANSWER_SECONDS_MAX", 1.0)
    monkeypatch.setattr(database, "CONNECT_SECONDS_MAX", 1.0)
    async with serving(primary.url()) as api:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        try:
            await elsewhere(primary.freeze)
            answers = await asyncio.gather(*(post(api, READ, token) for _ in range(5)))
            for answer in answers:
                unavailable(answer)
        finally:
            await elsewhere(primary.thaw)
        await back()
        assert (await post(api, READ, token)).status_code == 200


async def test_a_server_without_free_connections_makes_callers_wait_and_not_fail(
    primary: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(primary.url()) as api, AsyncExitStack() as stack:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        caplog.clear()

        async def take_all() -> None:
            with suppress(Problem):
                while True:
                    await stack.enter_async_context(connection(primary.url()))

        refused = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while refused < 5:
                await pool().expire_connections()  # the next caller needs a new one
                await take_all()
                answer = await post(api, READ, token)
                if answer.status_code == 503:
                    unavailable(answer)
                    refused += 1
        await stack.aclose()
        await back()
        assert (await post(api, READ, token)).status_code == 200
        assert len(lines(caplog)) == 1, "and not one for each caller"


async def test_a_server_that_takes_no_writes_is_away_until_it_takes_them(
    primary: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(primary.url()) as api:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        caplog.clear()
        primary.set("default_transaction_read_only", "on")
        await until(lambda: availability().reason is not None)
        unavailable(await post(api, DEPOSIT, token, key="k1"))
        primary.set("default_transaction_read_only", None)
        await back()
        assert (await post(api, DEPOSIT, token, key="k1")).status_code == 200
        away, _ = lines(caplog)
        assert "takes no writes" in away


async def test_who_comes_over_a_websocket_is_told_after_a_while_and_open_ones_stay(
    primary: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "INIT_SECONDS_MAX", 0.3)
    monkeypatch.setattr(hub, "START_SECONDS_MAX", 0.3)
    async with serving(primary.url()) as api:
        await a_world(primary.url(OWNER), price=0)
        token = await api.token("MANAGER", "acme")
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as open_one:
            await send(open_one, **init)
            assert json.loads(await open_one.recv())["type"] == "connection_ack"
            await elsewhere(primary.kill)
            for number, document in enumerate((READ, EVENTS), 1):
                await send(open_one, id=str(number), type="subscribe", payload={"query": document})
                answer = json.loads(await open_one.recv())
                [error] = answer["payload"]["errors"] if answer["type"] == "next" else answer["payload"]
                assert error["extensions"]["code"] == "UNAVAILABLE"
                while answer["type"] != "complete" and answer["type"] != "error":
                    answer = json.loads(await open_one.recv())
            async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as late:
                await send(late, **init)
                await late.wait_closed()
                assert late.close_code == 4413
            await elsewhere(primary.start)
            await back()
            await send(open_one, id="3", type="subscribe", payload={"query": READ})
            assert json.loads(await open_one.recv())["payload"]["data"]["challenges"]
