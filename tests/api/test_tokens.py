"""Tokens over the API: scope, end, and the websockets open at that time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from app.live.websocket_sessions import ENDED
from models import tokens as rows_of_tokens
from services import brands
from services.views import lists
from tests.api.clients import PATIENCE_SECONDS, Api
from tests.services.world import ADMIN, a_world, value

CREATE = """mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) {
  token apiToken { id role scope { owners clones challenges accounts } expiresAt }
  userErrors { code field message } } }"""
REVOKE = """mutation ($input: RevokeApiTokenInput!) { revokeApiToken(input: $input) {
  apiToken { id revokedAt } userErrors { code field } } }"""
LIST = "query ($filter: ApiTokenFilter) { apiTokens(filter: $filter) { nodes { id prefix lastUsedAt } } }"
FOLLOW = "subscription { challengeEvents { name } }"


@pytest.fixture
async def manager(api: Api) -> str:
    for brand in ("acme", "other"):
        await brands.save_brand(ADMIN, name=brand, title=brand)
    return await api.token("MANAGER", "acme")


async def test_a_token_is_made_with_its_scope_and_its_end_listed_and_revoked(api: Api, manager: str) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    asked = {"role": "TRADER", "name": "bot", "scope": {"clones": ["k1"], "accounts": ["100001"]}, "expiresAt": until}
    made = (await api.ask(CREATE, manager, input=asked))["createApiToken"]
    assert made["apiToken"]["scope"] == {"owners": [], "clones": ["k1"], "challenges": [], "accounts": ["100001"]}
    assert datetime.fromisoformat(made["apiToken"]["expiresAt"]) == datetime.fromisoformat(until)
    assert (await api.ask("{ me { role } }", made["token"])) == {"me": {"role": "TRADER"}}

    one = {"id": made["apiToken"]["id"]}
    (listed,) = (await api.ask(LIST, manager, filter={"role": ["TRADER"], "valid": True}))["apiTokens"]["nodes"]
    assert made["token"].startswith(listed["prefix"])
    assert listed["lastUsedAt"] is not None
    first = (await api.ask(REVOKE, manager, input=one))["revokeApiToken"]["apiToken"]
    again = (await api.ask(REVOKE, manager, input=one))["revokeApiToken"]["apiToken"]
    assert first["revokedAt"] == again["revokedAt"] is not None
    assert await api.code("{ me { role } }", made["token"]) == "UNAUTHENTICATED"
    assert (await api.ask(LIST, manager, filter={"valid": True, "role": ["TRADER"]}))["apiTokens"]["nodes"] == []


async def test_what_a_token_cannot_be_is_named(api: Api, manager: str) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    for asked, field in (
        ({"role": "TRADER", "expiresAt": past}, "expiresAt"),
        ({"role": "TRADER", "scope": {"accounts": ["x"]}}, "scope.accounts"),
        ({"role": "TRADER", "scope": {"owners": [" "]}}, "scope.owners"),
        ({"role": "TRADER", "scope": {"clones": ["c"] * 1_001}}, "scope.clones"),
        ({"role": "CLIENT", "subject": "alice", "scope": {"clones": ["c"]}}, "scope"),
    ):
        answer = (await api.ask(CREATE, manager, input={"name": "bot", **asked}))["createApiToken"]
        assert [error["field"] for error in answer["userErrors"]] == [field]
        assert answer["token"] is None


async def test_another_brands_token_is_a_missing_one(api: Api, manager: str) -> None:
    asked = {"role": "TRADER", "name": "bot", "brand": "other"}
    made = (await api.ask(CREATE, await api.token("ADMIN"), input=asked))["createApiToken"]
    for token_id in (made["apiToken"]["id"], "999999"):
        assert await api.code(REVOKE, manager, input={"id": token_id}) == "NOT_FOUND"
    assert (await api.ask("{ me { role } }", made["token"])) == {"me": {"role": "TRADER"}}


async def test_open_websockets_of_a_revoked_token_close_and_no_others(api: Api, manager: str) -> None:
    made = (await api.ask(CREATE, manager, input={"role": "TRADER", "name": "bot"}))["createApiToken"]
    async with api.follow(made["token"], FOLLOW) as ended, api.follow(manager, FOLLOW) as other:
        await api.ask(REVOKE, manager, input={"id": made["apiToken"]["id"]})
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ended.socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == ENDED
        await (await other.socket.ping())


PAGE = "{ challenges { nodes { id } } }"
DEPOSIT = """mutation { depositToWallet(input: {client: "alice", currency: "USD", amount: "1", idempotencyKey: "k"}) {
  wallet { id } userErrors { code } } }"""


async def _post(api: Api, token: str, query: str) -> httpx.Response:
    return await api.http.post("/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"})


async def test_a_query_begins_while_its_token_is_looked_up_and_nothing_is_told_before_that_is_confirmed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_world(api.database_url, replay=False)
    token = await api.token("MANAGER", "acme")
    for _ in range(2):
        assert "data" in (await _post(api, token, PAGE)).json()
    read, page, valid = asyncio.Event(), lists.list_page, rows_of_tokens.valid_tokens

    async def revoking(*given: Any, **named: Any) -> Any:
        result = await page(*given, **named)
        await value("update tokens set revoked_at = now() returning 1")
        read.set()
        return result

    async def late(*given: Any) -> Any:
        await read.wait()
        return await valid(*given)

    monkeypatch.setattr(lists, "list_page", revoking)
    monkeypatch.setattr(rows_of_tokens, "valid_tokens", late)
    refused = await _post(api, token, PAGE)
    assert read.is_set(), "it had begun"
    assert refused.status_code == 401
    assert "data" not in refused.json()
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("query", [PAGE, DEPOSIT], ids=["a query", "a mutation"])
async def test_a_remembered_operation_of_a_token_that_has_ended_since_is_refused(api: Api, query: str) -> None:
    await a_world(api.database_url, replay=False)
    token = await api.token("MANAGER", "acme")
    for _ in range(2):
        assert "data" in (await _post(api, token, query)).json()
    await value("update tokens set revoked_at = now() returning 1")
    assert (await _post(api, token, query)).status_code == 401
    assert (await _post(api, token, query)).status_code == 401, "and it is not remembered any more"


async def test_a_mutation_does_not_begin_before_its_token_is_confirmed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_world(api.database_url, replay=False)
    token = await api.token("MANAGER", "acme")
    await _post(api, token, PAGE)
    valid = rows_of_tokens.valid_tokens

    async def revoked(*given: Any) -> Any:
        await value("update tokens set revoked_at = now() returning 1")
        return await valid(*given)

    monkeypatch.setattr(rows_of_tokens, "valid_tokens", revoked)
    assert (await _post(api, token, DEPOSIT)).status_code == 401
    assert await value("select count(*) from wallets where cash = 1") == 0


async def test_a_request_after_a_change_of_its_scope_is_answered_at_once(api: Api) -> None:
    await a_world(api.database_url, replay=False)
    token = await api.token("TRADER", "acme")
    text = "{ me { scope { accounts } } }"
    for _ in range(2):
        assert (await _post(api, token, text)).json()["data"] == {"me": {"scope": {"accounts": []}}}
    await value("""update tokens set scope = '{"accounts": ["1"]}' where role = 'TRADER' returning 1""")
    assert (await _post(api, token, text)).json()["data"] == {"me": {"scope": {"accounts": ["1"]}}}
