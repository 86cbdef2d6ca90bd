"""A row that this version cannot read costs its own place in an answer, and an operator is told of it."""

from tests.api.clients import Api
from tests.services.world import a_world, another_process, settle

ACCOUNTS = "{ accounts { nodes { id snapshot { equity } decisionContext { status } } edges { node { id } } } }"
PLAIN = "{ accounts { nodes { id mode } } }"
MARK = """mutation ($account: ID!) {
  markAccountToMarket(input: {accountId: $account}) { accounts userErrors { code } } }"""
SYSTEM = "{ system { quarantined quarantine { accountId error message } } }"


async def test_an_account_that_cannot_be_read_costs_its_own_fields_and_is_named(api: Api) -> None:
    world = await a_world(api.database_url)
    spoilt, sound = [str((await world.buy(key))[1]) for key in ("k1", "k2")]
    async with another_process(api.database_url) as other:
        await other.execute(
            "update accounts set policy = jsonb_set(policy::jsonb, '{later}', '1')::text where id = $1", int(spoilt)
        )
    token = await api.token("MANAGER", "acme")
    marked = (await api.ask(MARK, token, account=spoilt))["markAccountToMarket"]
    assert [error["code"] for error in marked["userErrors"]] == ["ACCOUNT_UNREADABLE"]
    answer = await api.answer(ACCOUNTS, token)
    nodes = {node["id"]: node for node in answer["data"]["accounts"]["nodes"]}
    assert nodes[spoilt] == {"id": spoilt, "snapshot": None, "decisionContext": None}
    assert nodes[sound]["snapshot"] and nodes[sound]["decisionContext"]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"ACCOUNT_UNREADABLE"}
    told = (await api.answer(SYSTEM, await api.token("ADMIN")))["data"]["system"]
    assert told["quarantined"] == 1
    assert told["quarantine"][0]["accountId"] == spoilt
    assert "later" in told["quarantine"][0]["message"]
    assert spoilt in (await api.http.get("/readyz")).json()["warnings"]["accounts"]
    assert "propdesk_accounts_quarantined 1.0" in (await api.http.get("/metrics")).text


async def test_a_row_with_a_value_of_a_newer_version_is_left_out_of_its_list(api: Api) -> None:
    world = await a_world(api.database_url)
    spoilt, sound = [str((await world.buy(key))[1]) for key in ("k1", "k2")]
    async with another_process(api.database_url) as other:
        await other.execute("alter table accounts drop constraint accounts_mode_check")
        await other.execute("update accounts set mode = 'ARENA' where id = $1", int(spoilt))
    token = await api.token("MANAGER", "acme")
    for query in (PLAIN, ACCOUNTS):
        nodes = (await api.answer(query, token))["data"]["accounts"]["nodes"]
        assert [node["id"] for node in nodes] == [sound]
    assert 'propdesk_unreadable_rows_total{type="Account"}' in (await api.http.get("/metrics")).text
    await settle()


async def test_terms_that_cannot_be_read_cost_their_own_field(api: Api) -> None:
    world = await a_world(api.database_url)
    for key in ("k1", "k2"):
        await world.buy(key)
    async with another_process(api.database_url) as other:
        await other.execute("alter table challenges disable trigger user; alter table purchases disable trigger user")
        await other.execute(
            """insert into terms (hash, version, body)
            select 'later', version, jsonb_set(body::jsonb, '{later}', '1')::text from terms"""
        )
        await other.execute("update challenges set terms_hash = 'later' where id = 1")
        await other.execute("update purchases set terms_hash = 'later' where id = 1")
    token = await api.token("MANAGER", "acme")
    for query in (
        "{ challenges { nodes { id terms { name } } } }",
        "{ purchases { nodes { id terms { name } } } }",
        "{ challenges { nodes { id purchase { terms { name } } } } }",
    ):
        answer = await api.answer(query, token)
        [nodes] = [connection["nodes"] for connection in answer["data"].values()]
        sold = {node["id"]: node.get("purchase", node)["terms"] for node in nodes}
        assert sold == {"1": None, "2": {"name": "Two phases"}}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["TERMS_UNREADABLE"]
