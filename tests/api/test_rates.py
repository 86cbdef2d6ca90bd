"""Request rates: each role's limit at its edge and one above it."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from app.request.cpu_metering import MeteredWork, meter_tasks
from app.request.rate_limits import DEBT_SECONDS_MAX, ProcessorShares, RequestRates
from config.settings import Settings
from services import brands, tokens
from services.principals import Principal, Role
from tests.api.clients import TRANSPORT, Api, send
from tests.services.world import ADMIN

ROLES = {"ADMIN": 3.0, "MANAGER": 3.0, "CLIENT": 2.0, "TRADER": 3.0, "FEED": 3.0, "PAYMENTS": 3.0, "NOBODY": 1.0}
ALICE = Principal(1, "app", Role.CLIENT, "acme", "alice")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_idle_bearer_has_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    rates = RequestRates(ROLES, 5, clock)
    assert [rates.take(ALICE, "") for _ in range(10)] == [0] * 10
    assert rates.take(ALICE, "") == pytest.approx(0.5)
    clock.now = 0.5
    assert rates.take(ALICE, "") == 0
    assert rates.take(ALICE, "") > 0


def test_each_role_has_its_own_rate_to_the_edge_and_not_one_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, rate in ROLES.items():
        monkeypatch.setenv(f"PROPDESK_RATE_{name}", str(rate))
    most = Settings().rates
    assert most == ROLES
    for name, rate in ROLES.items():
        bearer = None if name == "NOBODY" else Principal(1, "app", Role(name), "acme")
        rates = RequestRates(most, 5, Clock())
        waits = [rates.take(bearer, "address") for _ in range(int(rate * 5) + 1)]
        assert [wait > 0 for wait in waits] == [False] * int(rate * 5) + [True], name


def test_bearers_do_not_share_and_addresses_without_a_token_do_not() -> None:
    rates = RequestRates(ROLES, 0.5, Clock())
    others = [
        ALICE,
        Principal(2, "app", Role.CLIENT, "acme", "bob"),
        Principal(0, "alice", Role.CLIENT, "acme", "alice"),
    ]
    assert [rates.take(bearer, "a") for bearer in others] == [0, 0, 0]
    assert [rates.take(None, address) > 0 for address in ("a", "b", "a")] == [False, False, True]


@given(st.lists(st.floats(0, 5), max_size=40))
def test_no_more_than_burst_and_rate_are_ever_let_through(waits: list[float]) -> None:
    clock = Clock()
    rates = RequestRates(ROLES, 2, clock)
    taken = 0
    for wait in waits:
        clock.now += wait
        taken += rates.take(ALICE, "") == 0
    assert taken <= 4 + 2 * clock.now + 1e-6


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_RATE_CLIENT", "0.01")
    monkeypatch.setenv("PROPDESK_RATE_NOBODY", "0.01")
    monkeypatch.setenv("PROPDESK_RATE_BURST_SECONDS", "200")  # two requests


async def test_over_http_and_over_a_websocket(slow: None, api: Api) -> None:

    await brands.save_brand(ADMIN, name="acme", title="Acme")
    token = await api.token("CLIENT", "acme", "alice")
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        answers = [
            await api.http.post("/graphql", json={"query": "{ me { name } }"}, headers=headers) for _ in range(2)
        ]
        await send(socket, type="subscribe", id="1", payload={"query": "{ me { name } }"})
        told = json.loads(await socket.recv())
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert int(answers[1].headers["retry-after"]) >= 1
    assert (told["type"], told["id"], told["payload"][0]["extensions"]["code"]) == ("error", "1", "RATE_LIMITED")


SHARES = dict.fromkeys(ROLES, 0.5) | {"NOBODY": 0.1}


def test_processor_time_may_be_overdrawn_and_is_waited_for() -> None:
    clock = Clock()
    shares = ProcessorShares(SHARES, 2, clock)
    assert shares.wait(ALICE, "") == 0
    shares.spend(ALICE, "", 0.9)
    assert shares.wait(ALICE, "") == 0, "a tenth of a second is left"
    shares.spend(ALICE, "", 0.6)
    assert shares.wait(ALICE, "") == pytest.approx(1, abs=0.01)
    clock.now = 1.1
    assert shares.wait(ALICE, "") == 0
    assert shares.wait(None, "address") == 0, "another's bucket"


def test_one_dear_request_does_not_shut_its_bearer_out_for_ever() -> None:
    shares = ProcessorShares(SHARES, 2, Clock())
    shares.spend(None, "address", 1e9)
    assert shares.wait(None, "address") == pytest.approx(DEBT_SECONDS_MAX, abs=0.01)
    assert shares.wait(None, "another") == 0


async def test_only_the_steps_of_a_task_count_and_not_its_waiting() -> None:
    spent: list[float] = []

    async def work() -> str:
        sum(range(200_000))
        await asyncio.sleep(0.2)
        with pytest.raises(KeyError):
            await fails()
        return "done"

    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError

    assert await MeteredWork(work(), spent.append) == "done"
    assert len(spent) >= 3
    assert 0 < sum(spent) < 0.15, "processor seconds, of which waiting costs none"


async def test_tasks_that_begin_within_metered_work_are_part_of_it_and_others_are_not() -> None:
    meter_tasks()
    inner: list[float] = []
    outer: list[float] = []

    async def child(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def work() -> list[int]:
        return list(await asyncio.gather(child(1), child(2)))

    async def around() -> list[int]:
        found = await asyncio.create_task(_value(MeteredWork(work(), inner.append)))
        await asyncio.create_task(child(3))
        return found

    assert await MeteredWork(around(), outer.append) == [1, 2]
    assert len(inner) == 2 + 2 * 2, "its own two steps, and two of each child"
    assert len(outer) == 3 + 2 + 2, "its own three, two of the task around the inner work, two of the other child"
    await asyncio.create_task(child(4))
    assert (len(inner), len(outer)) == (6, 7)


async def _value(work: MeteredWork[list[int]]) -> list[int]:
    return await work


async def test_a_metered_task_that_is_cancelled_before_it_begins_is_ended_in_order() -> None:
    meter_tasks()
    begun: list[str] = []

    async def child() -> None:
        begun.append("child")

    async def work() -> None:
        task = asyncio.create_task(child())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await MeteredWork(work(), lambda _: None)
    assert begun == []


async def _run(work: MeteredWork[None]) -> None:
    await work


async def test_a_cancelled_task_sees_that_it_is_cancelled() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("in order")

    task = asyncio.create_task(_run(MeteredWork(work(), lambda _: None)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["in order"]


@pytest.fixture
async def manager(api: Api) -> str:
    await brands.save_brand(ADMIN, name="acme", title="acme")
    return await api.token("MANAGER", "acme")


async def test_a_stranger_pays_for_its_documents_and_others_do_not(
    api: Api, manager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.shares.spend(None, "127.0.0.1", 100.0)
    response = await api.http.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 429
    assert response.json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert int(response.headers["Retry-After"]) >= 1
    assert await api.ask("{ __typename }", manager) == {"__typename": "Query"}
    bearer = await tokens.authenticate(manager)
    spent: list[tuple[object, float]] = []
    monkeypatch.setattr(api.shares, "spend", lambda who, _address, seconds: spent.append((who, seconds)))
    await api.ask("{ challenges { nodes { id } } }", manager)
    [(who, seconds)] = spent
    assert who == bearer
    assert 0 < seconds < 5


async def test_an_operation_of_a_bearer_without_time_is_refused_on_a_websocket_too(api: Api, manager: str) -> None:
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {manager}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        api.shares.spend(await tokens.authenticate(manager), "", 1e9)
        await send(socket, type="subscribe", id="1", payload={"query": "{ __typename }"})
        message = json.loads(await socket.recv())
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")


async def test_a_websocket_is_counted_when_it_connects_by_its_bearer_or_its_address(slow: None, api: Api) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    token = await api.token("CLIENT", "acme", "alice")
    assert [await _connected(api, token) for _ in range(3)] == ["connection_ack", "connection_ack", 4412]
    assert [await _connected(api, f"pd_{guess}_x") for guess in range(3)] == [4403, 4403, 4412]
    assert (
        'propdesk_errors_total{code="RATE_LIMITED",operation="connection_init"} 2.0'
        in (await api.http.get("/metrics")).text
    )


async def _connected(api: Api, token: str) -> str | int:
    """Return the type of the first message, or the close code."""
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
        try:
            told: str = json.loads(await socket.recv())["type"]
        except ConnectionClosed:
            return socket.close_code or 0
        return told
