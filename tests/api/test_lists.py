"""Lists over the API: pages that stop at the row limit, and text search by role."""

from typing import Any

import pytest

from config.settings import settings
from tests.api.clients import Api
from tests.services.world import a_world, value

PAGE = """query ($after: String, $filter: ChallengeFilter) { challenges(first: 5, after: $after, filter: $filter) {
  nodes { id } totalCount totalCountIsExact pageInfo { hasNextPage endCursor } } }"""
COUNTERS = "query ($filter: ChallengeFilter) { challengeCounters(filter: $filter) { active total exact } }"


async def test_a_page_that_came_to_its_limit_says_where_to_go_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await a_world(api.database_url, cash=5_000)
    challenges = [(await world.buy(f"k{n}"))[0] for n in range(4)]
    await value("update challenge_phases set phase_type = 1 where challenge_id = $1 and phase_index = 1 returning id",
                challenges[1])  # fmt: skip
    manager = await api.token("MANAGER", "acme")
    funded = {"phaseType": ["FUNDED"]}
    whole = (await api.ask(PAGE, manager, filter=funded))["challenges"]
    assert (whole["nodes"], whole["totalCount"], whole["totalCountIsExact"]) == ([{"id": str(challenges[1])}], 1, True)
    assert whole["pageInfo"]["hasNextPage"] is False
    assert (await api.ask(COUNTERS, manager))["challengeCounters"] == {"active": 4, "total": 4, "exact": True}
    few = settings().replace(list_rows_max=2)  # and 20 entries of an index
    monkeypatch.setattr("services.views.lists.settings", lambda: few)
    pages: list[Any] = []
    after = None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        pages.append((await api.ask(PAGE, manager, filter=funded, after=after))["challenges"])
        after = pages[-1]["pageInfo"]["endCursor"]
    assert [[node["id"] for node in page["nodes"]] for page in pages] == [[], [str(challenges[1])], []]
    assert {(page["totalCount"], page["totalCountIsExact"]) for page in pages} == {(1, False)}
    plain = (await api.ask(PAGE, manager))["challenges"]
    assert (len(plain["nodes"]), plain["totalCount"], plain["totalCountIsExact"]) == (4, 4, True)
    counters = (await api.ask(COUNTERS, manager, filter=funded))["challengeCounters"]
    assert counters == {"active": 1, "total": 1, "exact": False}


async def test_a_text_finds_by_the_notes_for_those_who_may_read_them(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, _ = await world.buy()
    await value("update purchases set external_reference = 'INV-7', tags = '{vip}' returning id")
    which = {"filter": {"text": "inv-7"}}
    query = "query ($filter: ChallengeFilter) { challenges(filter: $filter) { nodes { id } } }"
    of_purchases = "query ($filter: PurchaseFilter) { purchases(filter: $filter) { totalCount } }"
    manager, alice = await api.token("MANAGER", "acme"), await api.token("CLIENT", "acme", "alice")
    trader = await api.token("TRADER", "acme")
    assert (await api.ask(query, manager, **which))["challenges"]["nodes"] == [{"id": str(challenge)}]
    assert (await api.ask(of_purchases, manager, **which))["purchases"]["totalCount"] == 1
    for token in (alice, trader):
        assert (await api.ask(query, token, **which))["challenges"]["nodes"] == []
        found = await api.ask(query, token, filter={"text": "ALI"})
        assert found["challenges"]["nodes"] == [{"id": str(challenge)}]
    assert (await api.ask(of_purchases, alice, **which))["purchases"]["totalCount"] == 0
