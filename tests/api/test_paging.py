"""Paging: complete and stable while rows are added, limited, and read level by level."""

import base64
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from models.views import list_pages
from services import brands, wallets
from tests.api.clients import Api
from tests.services.world import ADMIN, a_world

WALLETS = """query ($first: Int!, $after: String) { wallets(first: $first, after: $after) {
  edges { cursor node { id } } nodes { id }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


async def _a_wallet(client: str) -> None:
    await wallets.deposit_to_wallet(ADMIN, client=client, currency="USD", amount=Decimal(1), key=client, brand="acme")


async def _walk(api: Api, token: str, first: int) -> list[str]:
    """Return the ids of all pages; a wallet is added after each page."""
    found: list[str] = []
    after, more = None, True
    while more:
        assert len(found) <= 7, "no page repeats what was there before"
        page = (await api.ask(WALLETS, token, first=first, after=after))["wallets"]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert [edge["node"] for edge in page["edges"]] == page["nodes"]
        info = page["pageInfo"]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        assert info["hasPreviousPage"] == (after is not None)
        found += [node["id"] for node in page["nodes"]]
        after, more = info["endCursor"], info["hasNextPage"]
        await _a_wallet(f"late {len(found)} of {first}")
    return found


@pytest.mark.parametrize("first", [1, 3, 7, 8, 100])
async def test_every_item_comes_once_and_in_order_while_others_are_added(api: Api, first: int) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    for number in range(7):
        await _a_wallet(f"client {number}")
    token = await api.token("MANAGER", "acme")
    whole = (await api.ask(WALLETS, token, first=100))["wallets"]["nodes"]
    assert await _walk(api, token, first) == [node["id"] for node in whole]
    assert len(whole) == 7


async def test_an_empty_list_has_a_page(api: Api) -> None:
    page = (await api.ask(WALLETS, await api.token("ADMIN"), first=1))["wallets"]
    info = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert page == {"edges": [], "nodes": [], "pageInfo": info}


async def test_a_history_can_be_read_from_both_ends(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    token = await api.token("MANAGER", "acme")
    query = """query ($id: ID!, $order: HistoryOrder!, $after: String) { account(id: $id) {
      ledger(first: 2, after: $after, orderBy: $order) {
        totalCount nodes { seq } pageInfo { hasNextPage endCursor } } } }"""
    for order, back in (("NEWEST_FIRST", True), ("OLDEST_FIRST", False)):
        found: list[int] = []
        after = None
        while True:
            page = (await api.ask(query, token, id=str(account), order=order, after=after))["account"]["ledger"]
            found += [node["seq"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            assert len(found) <= page["totalCount"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert found == sorted(range(1, page["totalCount"] + 1), reverse=back)


def _cursor(*keys: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode()


CURSORS = ["", "x", "bm9uc2Vuc2U=", _cursor(), _cursor("1"), _cursor(1, 2), _cursor(1.5), _cursor(True), _cursor(2**63)]


async def test_what_is_no_cursor_or_no_size_is_refused(api: Api) -> None:
    admin = await api.token("ADMIN")
    for after in CURSORS:
        assert await api.code(WALLETS, admin, first=1, after=after) == "BAD_USER_INPUT", after
    for first in (-1, 0, 101, 2**31 - 1):
        assert await api.code(WALLETS, admin, first=first) == "BAD_USER_INPUT", first


async def test_a_filter_takes_no_text_that_the_database_cannot_hold(api: Api) -> None:
    query = "query ($client: String!) { wallets(filter: { client: $client }) { nodes { id } } }"
    admin = await api.token("ADMIN")
    for text in ("\0", "\ud800"):
        assert await api.code(query, admin, client=text) == "BAD_USER_INPUT"


COUNTED = "{ challenges { totalCount } }"
READS = ("fetch_page", "count_rows", "fetch_by_ids", "fetch_nested_pages", "count_nested_rows")  # each is one statement


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the reads of each kind."""
    made: Counter[str] = Counter()

    def counted(name: str) -> Any:
        read = getattr(list_pages, name)

        async def one(*given: Any, **named: Any) -> Any:
            made[name] += 1
            return await read(*given, **named)

        return one

    for name in READS:
        monkeypatch.setattr(list_pages, name, counted(name))
    return made


async def test_what_nobody_asked_for_is_not_counted(api: Api, reads: Counter[str]) -> None:
    admin = await api.token("ADMIN")
    await api.ask("{ challenges { nodes { id } } }", admin)
    assert reads == {"fetch_page": 1}
    await api.ask(COUNTED, admin)
    assert reads["count_rows"] == 1


RENAME = """%s: updateProgram(input: { id: "%s", expectedVersion: %s, steps: [
  { phaseIndex: 1, phaseType: EVALUATION, name: "%s", accountGroup: "DEMO", profitTargetPct: "8" }] }) {
  program { steps { name } } userErrors { message } }"""


async def test_what_a_mutation_changed_is_what_its_fields_show(api: Api) -> None:
    world = await a_world(api.database_url)
    changes = [("a", world.program, 2, "First"), ("b", world.program, 3, "Second")]
    text = f"mutation {{ {' '.join(RENAME % change for change in changes)} }}"
    found = await api.ask(text, await api.token("MANAGER", "acme"))
    assert [found[name]["program"]["steps"][0]["name"] for name in ("a", "b")] == ["First", "Second"]
