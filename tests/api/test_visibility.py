"""Objects of another brand, of another client or outside a token's scope are answered like missing ones."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from services import brands
from services.principals import Role
from tests.api.clients import Api
from tests.api.operations import BUY, SUBMIT, UPDATE_PROGRAM
from tests.services.world import ADMIN, World, a_world, act, value

BY_ID = [
    ("challenge", "query ($id: ID!) { found: challenge(id: $id) { id } }"),
    ("challenge", "query ($id: ID!) { found: challengeMetrics(challengeId: $id) { nodes { equity } } }"),
    ("challenge", "query ($id: ID!) { found: challengeBreaches(challengeId: $id) { nodes { rule } } }"),
    ("account", "query ($id: ID!) { found: account(id: $id) { id } }"),
    ("action", "query ($id: ID!) { found: decisionAction(id: $id) { id } }"),
    ("purchase", "query ($id: ID!) { found: purchase(id: $id) { id } }"),
    ("program", "query ($id: ID!) { found: program(id: $id) { id } }"),
]
LISTS = ["challenges", "accounts", "purchases", "wallets", "transfers", "payouts", "programs", "accountGroups", "jobs"]
STRANGERS = [
    (Role.MANAGER, "other", None),
    (Role.CLIENT, "other", "alice"),
    (Role.CLIENT, "acme", "bob"),
    (Role.TRADER, "other", None),
]
MISSING = "999999999"
OF_A_CLIENT = {"program", "availablePrograms"}  # what every client of the brand sees


@dataclass(frozen=True, slots=True)
class Sold:
    """Create Alice's challenge at acme, with one executed action."""

    world: World
    ids: dict[str, str]


@pytest.fixture
async def sold(api: Api) -> Sold:
    world = await a_world(api.database_url)
    await brands.save_brand(ADMIN, name="other", title="Other")
    challenge, account = await world.buy()
    result = await act(account, "OPEN", action_id="a1", quantity="1000")
    purchase = await value("select purchase_id from challenges where id = $1", challenge)
    ids = {"challenge": challenge, "account": account, "purchase": purchase, "program": world.program}
    return Sold(world, {**{name: str(found) for name, found in ids.items()}, "action": f"{account}-{result.seq}"})


async def _allowed(api: Api, query: str, token: str, **variables: Any) -> Any:
    """Return the answer's data; None if the role may not use the field."""
    answer = await api.answer(query, token, **variables)
    if "errors" in answer:
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}
        return None
    return answer["data"]


async def test_by_its_id_nothing_of_others_is_found(api: Api, sold: Sold) -> None:
    for role, brand, subject in STRANGERS:
        token = await api.token(role, brand, subject)
        for name, query in BY_ID:
            if brand == "acme" and name in OF_A_CLIENT:
                continue
            theirs = await api.answer(query, token, id=sold.ids[name])
            assert theirs == await api.answer(query, token, id=MISSING if name != "action" else f"{MISSING}-1"), name
    owner = await api.token("MANAGER", "acme")
    for name, query in BY_ID:  # and they are there to be found
        assert (await api.ask(query, owner, id=sold.ids[name]))["found"], name


async def test_in_lists_nothing_of_others_is_found(api: Api, sold: Sold) -> None:
    owner = await api.token("MANAGER", "acme")
    for role, brand, subject in STRANGERS:
        token = await api.token(role, brand, subject)
        for name in LISTS:
            query = f"{{ {name}(first: 100) {{ totalCount nodes {{ __typename }} }} }}"
            data = await _allowed(api, query, token)
            assert data is None or data[name] == {"totalCount": 0, "nodes": []}, name
            if name != "payouts":
                assert (await api.ask(query, owner))[name]["totalCount"] > 0, name


async def test_what_is_not_yours_cannot_be_acted_on(api: Api, sold: Sold) -> None:
    stranger = await api.token("MANAGER", "other")
    for program in (sold.ids["program"], MISSING, "no number"):
        change = {"id": program, "expectedVersion": 2, "name": "Mine"}
        assert await api.code(UPDATE_PROGRAM, stranger, input=change) == "NOT_FOUND"
    action = {"actionId": "a1", "action": "CLOSE", "symbol": "EURUSD", "side": "LONG"}
    bob = await api.token("CLIENT", "acme", "bob")
    for account in (sold.ids["account"], MISSING, "-1"):
        batch = {"accountId": account, "runId": "r", "actions": [action]}
        assert await api.code(SUBMIT, bob, input=batch) == "NOT_FOUND"
    order = {"programId": sold.ids["program"], "walletId": str(sold.world.wallet), "idempotencyKey": "b"}
    assert await api.code(BUY, bob, input=order) == "NOT_FOUND"


async def test_a_client_sees_its_own_and_through_it_only_its_own(api: Api, sold: Sold) -> None:
    alice = await api.token("CLIENT", "acme", "alice")
    query = """{ me { challenges { nodes { id purchase { id wallet { client } } account { id owner } program { id } } }
      purchases { totalCount } wallets { nodes { cash client } } }
      transfers { nodes { walletId house accountId } } }"""
    found = await api.ask(query, alice)
    (challenge,) = found["me"]["challenges"]["nodes"]
    assert challenge["id"] == sold.ids["challenge"]
    assert challenge["purchase"] == {"id": sold.ids["purchase"], "wallet": {"client": "alice"}}
    assert challenge["account"] == {"id": sold.ids["account"], "owner": "alice"}
    assert {transfer["walletId"] for transfer in found["transfers"]["nodes"]} == {str(sold.world.wallet)}


SCOPES = [
    ({}, True),
    ({"challenges": ["{challenge}"]}, True),
    ({"accounts": ["{account}"]}, True),
    ({"owners": ["alice"]}, True),
    ({"challenges": [MISSING]}, False),
    ({"accounts": [MISSING]}, False),
    ({"owners": ["bob"]}, False),
    ({"clones": ["nobody"]}, False),
    ({"owners": ["bob"], "accounts": ["{account}"]}, True),
]


async def test_a_trader_sees_what_its_scope_names(api: Api, sold: Sold) -> None:
    token = await api.token("TRADER", "acme")
    nested = "query ($id: ID!) { challenge(id: $id) { account { id } terms { hash } } }"
    for scope, seen in SCOPES:
        text = json.dumps(scope)
        for name, found in sold.ids.items():
            text = text.replace("{" + name + "}", found)
        await value("update tokens set scope = $1 where role = 'TRADER' returning id", text)
        for name, query in BY_ID[:5]:
            assert bool((await api.ask(query, token, id=sold.ids[name]))["found"]) == seen, (scope, name)
        lists = await api.ask("{ challenges { totalCount } accounts { totalCount } }", token)
        assert {one["totalCount"] for one in lists.values()} == {int(seen)}, scope
        assert bool((await api.ask(nested, token, id=sold.ids["challenge"]))["challenge"]) == seen, scope
