"""How often a bearer may ask: each role's rate at its edge and one past it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from app.rates import Rates
from config.settings import Settings
from services import brands
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
    rates = Rates(ROLES, 5, clock)
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
        rates = Rates(most, 5, Clock())
        waits = [rates.take(bearer, "address") for _ in range(int(rate * 5) + 1)]
        assert [wait > 0 for wait in waits] == [False] * int(rate * 5) + [True], name


def test_bearers_do_not_share_and_addresses_without_a_token_do_not() -> None:
    rates = Rates(ROLES, 0.5, Clock())
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
    rates = Rates(ROLES, 2, clock)
    taken = 0
    for wait in waits:
        clock.now += wait
        taken += rates.take(ALICE, "") == 0
    assert taken <= 4 + 2 * clock.now + 1e-6


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_RATE_CLIENT", "0.01")
    monkeypatch.setenv("PROPDESK_RATE_BURST_SECONDS", "200")  # two requests


async def test_over_http_and_over_a_websocket(slow: None, api: Api) -> None:

    await brands.save(ADMIN, name="acme", title="Acme")
    token = await api.token("CLIENT", "acme", "alice")
    answers = [
        await api.http.post("/graphql", json={"query": "{ me { name } }"}, headers={"Authorization": f"Bearer {token}"})
        for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert int(answers[2].headers["retry-after"]) >= 1
    async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await send(socket, type="subscribe", id="1", payload={"query": "{ me { name } }"})
        told = json.loads(await socket.recv())
    assert (told["type"], told["id"], told["payload"][0]["extensions"]["code"]) == ("error", "1", "RATE_LIMITED")
