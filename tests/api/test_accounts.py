"""Accounts as clients read them: relations, policy, final figures, and house accounts."""

from typing import Any

from services import admin, brands
from services.principals import Principal, Role
from tests.api.clients import Api
from tests.services.test_accounts import an_account
from tests.services.world import ADMIN, MANAGER, a_world, act

OTHER = Principal(9, "other desk", Role.MANAGER, "other")
FIGURES = "startingBalance balance equity realised fees profit highWatermark fills startedAt endedAt"


async def test_an_ended_account_shows_its_final_figures_and_another_none(api: Api) -> None:
    world = await a_world(api.database_url)
    raced, running = await an_account("RACE", "a", group="DEMO"), await an_account("RACE", "b", group="DEMO")
    await act(raced, "OPEN", action_id="a1", quantity="1000")
    await world.quote("1.2")
    await admin.complete(MANAGER, raced)
    manager = await api.token("MANAGER", "acme")
    query = f"{{ accounts(filter: {{mode: [RACE]}}) {{ nodes {{ id status policy result {{ {FIGURES} }} }} }} }}"
    ended, other = sorted((await api.ask(query, manager))["accounts"]["nodes"], key=lambda node: int(node["id"]))
    assert (ended["id"], other["id"], other["result"]) == (str(raced), str(running), None)
    assert ended["result"] == {
        "startingBalance": "100000",
        "balance": "100097.7",
        "equity": "100097.7",
        "realised": "100",
        "fees": "2.3",
        "profit": "97.7",
        "highWatermark": "100098.9",
        "fills": 2,
        "startedAt": "2026-03-02T12:00:00+00:00",
        "endedAt": "2026-03-02T12:01:00+00:00",
    }
    assert ended["policy"]["leverage_max"] == "50"


async def test_a_family_is_seen_as_far_as_its_members_are(api: Api) -> None:
    await a_world(api.database_url)
    parent = await admin.create_account(MANAGER, mode="RACE", key="p", owner="alice")
    child = await admin.create_account(MANAGER, mode="RACE", key="c", owner="bob", parent_id=parent)
    query = "query ($id: ID!) { account(id: $id) { parent { id } children { totalCount nodes { id owner } } } }"
    manager, alice = await api.token("MANAGER", "acme"), await api.token("CLIENT", "acme", "alice")
    bob = await api.token("CLIENT", "acme", "bob")
    found = (await api.ask(query, manager, id=str(parent)))["account"]
    assert found == {"parent": None, "children": {"totalCount": 1, "nodes": [{"id": str(child), "owner": "bob"}]}}
    assert (await api.ask(query, manager, id=str(child)))["account"]["parent"] == {"id": str(parent)}
    assert (await api.ask(query, alice, id=str(parent)))["account"]["children"] == {"totalCount": 0, "nodes": []}
    assert (await api.ask(query, bob, id=str(child)))["account"]["parent"] is None
    assert (await api.ask(query, bob, id=str(parent)))["account"] is None


async def test_accounts_are_found_by_what_is_known_of_them(api: Api) -> None:
    world = await a_world(api.database_url)
    await brands.save_brand(ADMIN, name="other", title="Other")
    challenge, bought = await world.buy()
    raced = await an_account("RACE", "a", clone="Clone-7", owner="bob", group="DEMO")
    child = await admin.create_account(MANAGER, mode="AUDITION", key="b", owner="100%_bob", parent_id=raced)
    await admin.create_account(OTHER, mode="AUDITION", key="c", clone="Clone-7")
    manager = await api.token("MANAGER", "acme")
    query = "query ($filter: AccountFilter) { accounts(filter: $filter) { totalCount nodes { id } } }"

    async def ids(**which: Any) -> list[int]:
        found = (await api.ask(query, manager, filter=which))["accounts"]
        assert found["totalCount"] == len(found["nodes"])
        return [int(node["id"]) for node in found["nodes"]]

    wanted: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [child, raced, bought]),
        ({"clone": "Clone-7"}, [raced]),
        ({"owner": "alice"}, [bought]),
        ({"group": "DEMO"}, [raced, bought]),
        ({"status": ["PENDING"]}, [child]),
        ({"mode": ["RACE", "EVALUATION"]}, [raced, bought]),
        ({"parentId": str(raced)}, [child]),
        ({"challengeId": str(challenge)}, [bought]),
        ({"text": str(raced)}, [raced]),
        ({"text": "clone"}, [raced]),
        ({"text": "BOB"}, [child, raced]),
        ({"text": "100%_"}, [child]),
        ({"text": "_"}, [child]),
        ({"text": "nobody"}, []),
        ({"parentId": "no number"}, []),
    ]
    for which, accounts in wanted:
        assert await ids(**which) == accounts, which


async def test_the_houses_accounts_are_its_managers_to_see(api: Api) -> None:
    await a_world(api.database_url)
    await an_account()
    query = "{ houseAccounts { totalCount nodes { currency purpose balance } } }"
    found = (await api.ask(query, await api.token("MANAGER", "acme")))["houseAccounts"]
    assert [tuple(node.values()) for node in found["nodes"]] == [
        ("USD", "EXTERNAL", "-2000"), ("USDC", "CAPITAL", "-100000"),
    ]  # fmt: skip
    await brands.save_brand(ADMIN, name="other", title="Other")
    assert (await api.ask(query, await api.token("MANAGER", "other")))["houseAccounts"]["totalCount"] == 0
