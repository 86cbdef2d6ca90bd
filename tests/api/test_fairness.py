"""A bearer with many slow statements does not keep other bearers from their answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from config.database import connection
from config.settings import settings
from models.views import events as stored_events
from models.views import list_pages
from services import brands, callers, periodic
from services.admission import admission
from services.telemetry import ADMISSION_REFUSALS, STOPPED
from services.unit_of_work.openings import transaction
from tests.api.clients import TRANSPORT, Api, send, until
from tests.services.world import ADMIN, a_world, another_process, rows, value, waits

SLOW = "select pg_sleep(60)"
ASLEEP = "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query = $1"
COUNT = "{ challenges { totalCount } }"
FIELDS = 25
MANY = f"{{ {' '.join(f'f{n}: challenges {{ totalCount }}' for n in range(FIELDS))} }}"
DEPOSIT = """mutation($key: String!) { depositToWallet(input: {
  client: "alice", currency: "USD", amount: "1", idempotencyKey: $key}) { wallet { id } userErrors { code } } }"""
EVENTS = 'subscription { challengeEvents(filter: {names: ["prop.challenge.warning"]}) { payload } }'
FOUR = {"pool_share_bearer": 0.4, "database_share_bearer": 1e9, "database_share_brand": 1e9}  # whatever they take
ROUNDS, TIMES = 4, 12
REFUSED_SECONDS = 0.1  # before a refused client asks again: one that does not wait has soon no processor time left
SECONDS_MAX = 2.0  # of a document, in the tests of time limits: what is quick takes less on a busy machine, too


@pytest.fixture(autouse=True)
def slow_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A count of the challenges of the brand `rivals` takes the database a minute."""
    count = list_pages.count_rows

    async def slow(conn: Any, of: Any, visibility: Any, filters: Any, most: Any) -> list_pages.RowCount:
        if visibility.brand == "rivals":
            await conn.execute(SLOW)
        return await count(conn, of, visibility, filters, most)

    monkeypatch.setattr(list_pages, "count_rows", slow)
    monkeypatch.setattr(callers, "LOOK_SECONDS", 0.02)


def limit(monkeypatch: pytest.MonkeyPatch, **changes: float) -> None:
    """Apply these settings to the API's admission."""
    given = settings().replace(**changes)
    monkeypatch.setattr("services.admission.settings", lambda: given)
    monkeypatch.setattr(admission, "_kept", None)


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a bearer four connections, without a limit of time."""
    limit(monkeypatch, **FOUR)


async def asleep(api: Api, *among: int) -> int:
    """Wait until the database executes one of these numbers of slow statements; return it."""
    async with connection(api.database_url) as conn, asyncio.timeout(30):
        while (many := await conn.fetchval(ASLEEP, SLOW)) not in among:
            await conn.execute("select pg_stat_clear_snapshot()")
            await asyncio.sleep(0)
        return int(many)


@pytest.fixture
async def hostile(api: Api) -> str:
    await a_world(api.database_url, replay=False)
    await brands.save_brand(ADMIN, name="rivals", title="Rivals")
    return await api.token("MANAGER", "rivals")


@asynccontextmanager
async def storm(api: Api, token: str, documents: int) -> AsyncIterator[None]:
    """Keep this number of the bearer's documents running."""

    async def ask() -> None:
        while True:
            await api.http.post("/graphql", json={"query": MANY}, headers={"Authorization": f"Bearer {token}"})
            await asyncio.sleep(REFUSED_SECONDS)

    tasks = [asyncio.create_task(ask()) for _ in range(documents)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await task


async def took(work: Callable[[int], Awaitable[None]], times: int) -> Sequence[float]:
    """Return the seconds of each repetition of the work."""
    seconds = []
    for number in range(times):
        began = time.perf_counter()
        await work(number)
        seconds.append(time.perf_counter() - began)
    return seconds


async def test_a_hostile_bearer_leaves_the_reads_writes_and_events_of_others_as_quick_as_they_were(
    api: Api, hostile: str
) -> None:
    manager = await api.token("MANAGER", "acme")
    async with api.follow(manager, EVENTS) as follower:

        async def read(_: int) -> None:
            assert (await api.ask(COUNT, manager)) == {"challenges": {"totalCount": 0}}

        async def write(number: int) -> None:
            told = await api.ask(DEPOSIT, manager, key=f"{time.monotonic_ns()}-{number}")
            assert told["depositToWallet"]["userErrors"] == []

        async def emit() -> int:
            number = time.monotonic_ns()
            async with transaction() as work:
                work.emit("prop.challenge.warning", brand="acme", challenge_id=1, payload={"number": number})
            return number

        async def hear(_: int) -> None:
            number = await emit()
            while (await follower.next())["challengeEvents"]["payload"]["number"] != number:
                pass

        follows = asyncio.create_task(follower.next())
        while not follows.done():  # the subscription has begun once it has had one
            await emit()
            await asyncio.wait([follows], timeout=0.1)
        kinds = {"reads": read, "writes": write, "events": hear}
        await asyncio.gather(*(took(work, 5) for work in kinds.values()))  # so that nothing is done for the first time
        alone, beside = {name: list[float]() for name in kinds}, {name: list[float]() for name in kinds}
        for _ in range(ROUNDS):  # by turns: whatever else the machine does comes upon both
            for name, work in kinds.items():
                alone[name] += await took(work, TIMES)
            async with storm(api, hostile, 20):
                await asleep(api, *range(1, 9))  # one, or what it had begun before it had shown how slow it is
                for name, work in kinds.items():
                    beside[name] += await took(work, TIMES)
                assert await asleep(api, *range(1, 9)), "and the storm goes on"
    for name in kinds:  # a wait for a slow statement is a thousand times as long
        assert quantile(beside[name], 0.5) < 2.5 * quantile(alone[name], 0.5), name
        assert quantile(beside[name], 0.95) < 6 * quantile(alone[name], 0.95), name


def quantile(seconds: Sequence[float], share: float) -> float:
    return sorted(seconds)[int(len(seconds) * share)]


async def test_beyond_its_share_a_bearer_waits_and_then_is_busy_and_told_when_to_come_back(
    api: Api, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **FOUR, queue_bearer_max=10)
    before = ADMISSION_REFUSALS.labels("queue")._value.get()  # noqa: SLF001 - its only name
    asked = asyncio.create_task(api.answer(MANY, hostile))
    await asleep(api, 4)
    async with connection(api.database_url) as conn:
        while not asked.done():
            await conn.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and query = $1",
                SLOW,
            )
    answer = await asked
    busy = [error for error in answer["errors"] if error["extensions"]["code"] == "BUSY"]
    assert len(busy) == FIELDS - 4 - 10, {error["message"] for error in answer["errors"]}
    assert {error["extensions"]["retryAfter"] for error in busy} == {1.0}
    assert "waiting max 10" in busy[0]["message"]
    assert ADMISSION_REFUSALS.labels("queue")._value.get() - before == len(busy)  # noqa: SLF001 - its only name


async def test_a_document_of_a_bearer_whose_queue_is_full_is_refused_whole(
    api: Api, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **FOUR, queue_bearer_max=5)
    asked = asyncio.create_task(api.answer(MANY, hostile))
    await asleep(api, 4)
    await until(lambda: _waiting() == 5)
    answer = await api.http.post(
        "/graphql", json={"query": "{ me { brand } }"}, headers={"Authorization": f"Bearer {hostile}"}
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["errors"][0]["extensions"]["code"] == "BUSY"
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {hostile}"})
        assert "connection_ack" in str(await socket.recv())
        await send(socket, type="subscribe", id="1", payload={"query": "{ me { brand } }"})
        assert "BUSY" in str(await socket.recv())
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await asleep(api, 0)
    assert await api.ask("{ me { brand } }", hostile) == {"me": {"brand": "rivals"}}


def _waiting() -> int:
    return max(len(share.waiting) for share in admission()._shares.values())  # noqa: SLF001 - its only name


@pytest.fixture
def short(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = api.server.config.app
    endpoint = next(route.endpoint for route in app.routes if route.path == "/graphql")
    monkeypatch.setattr(endpoint, "document_seconds_max", SECONDS_MAX)


@pytest.mark.usefixtures("short")
async def test_what_a_document_has_no_time_for_is_a_time_limit_and_the_rest_is_answered(api: Api, hostile: str) -> None:
    answer = await api.answer("{ a: challenges { totalCount } me { brand } b: challenges { nodes { id } } }", hostile)
    assert answer["data"] == {"a": None, "me": {"brand": "rivals"}, "b": {"nodes": []}}
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["a", "totalCount"], "TIME_LIMIT")
    assert f"seconds max {SECONDS_MAX:g}" in error["message"]
    await asleep(api, 0)


@pytest.mark.usefixtures("short")
async def test_of_a_mutation_whose_time_is_over_each_field_says_truly_whether_it_was_done(
    api: Api, hostile: str
) -> None:
    deposit = 'depositToWallet(input: {client: "eve", currency: "USD", amount: "1", idempotencyKey: "%s"})'
    field = f"{deposit} {{ wallet {{ id }} userErrors {{ code }} }}"
    before = STOPPED.labels("TIME_LIMIT")._value.get()  # noqa: SLF001 - its only name
    async with another_process(api.database_url) as other:
        await other.execute("select from brands where name = 'rivals' for update")  # what the first deposit waits for
        text = f"mutation {{ a: {field % 'a'} b: {field % 'b'} }}"
        asked = asyncio.create_task(api.answer(text, hostile))
        await waits(api.database_url)
        await until(lambda: STOPPED.labels("TIME_LIMIT")._value.get() > before)  # noqa: SLF001 - its only name
    answer = await asked
    assert answer["data"]["a"]["userErrors"] == [], "it had begun, so it was done and is answered"
    assert answer["data"]["b"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["TIME_LIMIT"]
    assert await value("select cash from wallets where client = 'eve'") == 1


@pytest.mark.usefixtures("four")
async def test_a_client_that_goes_away_ends_its_statements(api: Api, hostile: str) -> None:
    before = STOPPED.labels("CALLER_GONE")._value.get()  # noqa: SLF001 - its only name
    asked = asyncio.create_task(api.answer(MANY, hostile))
    await asleep(api, 4)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await asleep(api, 0)
    assert STOPPED.labels("CALLER_GONE")._value.get() - before == 1  # noqa: SLF001 - its only name


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("closes", [True, False], ids=["the websocket", "the operation"])
async def test_an_operation_of_a_websocket_that_ends_ends_its_statements(api: Api, hostile: str, closes: bool) -> None:
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {hostile}"})
        await send(socket, type="subscribe", id="1", payload={"query": MANY})
        await asleep(api, 4)
        if closes:
            await socket.close()
        else:
            await send(socket, type="complete", id="1")
        await asleep(api, 0)


async def test_a_mutation_of_a_websocket_that_closes_is_finished(api: Api, hostile: str) -> None:
    async with another_process(api.database_url) as other:
        await other.execute("select from brands where name = 'rivals' for update")
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
            await send(socket, type="connection_init", payload={"authorization": f"Bearer {hostile}"})
            payload = {"query": DEPOSIT, "variables": {"key": "k"}}
            await send(socket, type="subscribe", id="1", payload=payload)
            await waits(api.database_url)
    async with asyncio.timeout(30):
        while not await rows("select from wallets where brand = 'rivals' and cash = 1"):
            await asyncio.sleep(0)


async def test_a_bearer_that_catches_up_slowly_does_not_keep_others_from_catching_up(
    api: Api, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    missed = stored_events.missed_events

    async def slow(conn: Any, visibility: Any, *given: Any, **named: Any) -> Any:
        if visibility.brand == "rivals":
            await conn.execute(SLOW)
        return await missed(conn, visibility, *given, **named)

    monkeypatch.setattr(stored_events, "missed_events", slow)
    async with transaction() as work:
        work.emit("prop.challenge.warning", brand="acme", challenge_id=1, payload={"number": 1})
    manager = await api.token("MANAGER", "acme")
    monkeypatch.setattr(api.hub, "_floor", 1 << 40)  # what is asked for stands in the database alone
    text = 'subscription { challengeEvents(after: "0") { payload } }'
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {hostile}"})
        for number in range(10):
            await send(socket, type="subscribe", id=str(number), payload={"query": text})
        await asleep(api, 2)
        async with api.follow(manager, text) as follower:
            assert (await follower.next())["challengeEvents"]["payload"] == {"number": 1}


@pytest.mark.usefixtures("four")
async def test_a_pool_that_callers_have_filled_does_not_turn_readiness_red(api: Api, hostile: str) -> None:
    await periodic.run_round("worker")
    async with storm(api, hostile, 4):
        await asleep(api, 4)
        response = await api.http.get("/readyz")
        assert (response.status_code, response.json()["missing"]) == (200, {})
