"""A refusal affects its own root field only: the other fields are done and answered."""

import pytest
from graphql import is_non_null_type

from resolvers.main import schema
from schema.engine.strawberry_internals import graphql_schema
from tests.api.clients import Api
from tests.services.world import a_world, value

DEPOSIT_AND_DELETE = """mutation ($before: DepositToWalletInput!, $after: DepositToWalletInput!) {
  a: depositToWallet(input: $before) { wallet { cash } userErrors { code } }
  b: deleteProgram(input: { id: "777", reason: "tidy" }) { userErrors { code } }
  c: depositToWallet(input: $after) { wallet { cash } userErrors { code } }
}"""


async def test_a_refused_mutation_leaves_its_neighbours_their_answers(api: Api) -> None:
    world = await a_world(api.database_url)
    mona = await api.token("MANAGER", "acme")
    before, after = (
        {"client": "alice", "currency": "USD", "amount": amount, "idempotencyKey": amount} for amount in ("5", "7")
    )
    start = await value("select cash from wallets where id = $1", world.wallet)
    answer = await api.answer(DEPOSIT_AND_DELETE, mona, before=before, after=after)
    assert [(error.get("path"), error["extensions"]["code"]) for error in answer["errors"]] == [(["b"], "NOT_FOUND")]
    data = answer["data"]
    cash = await value("select cash from wallets where id = $1", world.wallet)
    assert cash == start + 12
    assert (data["b"], data["c"]) == (None, {"wallet": {"cash": str(cash.normalize().to_integral())}, "userErrors": []})
    assert data["a"]["userErrors"] == []


REFUSED = [
    ("system { mode }", "FORBIDDEN"),
    ("jobs(first: 500) { nodes { id } }", "BAD_USER_INPUT"),
    ('challenges(after: "zzz") { nodes { id } }', "BAD_USER_INPUT"),
    ('previewDecisionActions(input: {accountId: "777", runId: "r", actions: []}) { userErrors { code } }', None),
    ('challenge(id: "1") { metrics(after: "zzz") { nodes { equity } } }', "BAD_USER_INPUT"),
    ('quoteHistory(symbol: "EURUSD", first: 0) { nodes { batch } }', "BAD_USER_INPUT"),
]


@pytest.mark.parametrize(("field", "code"), REFUSED)
async def test_a_refused_query_leaves_its_neighbours_their_answers(api: Api, field: str, code: str | None) -> None:
    world = await a_world(api.database_url)
    await world.buy()
    mona = await api.token("MANAGER", "acme")
    for _ in range(2):  # the second time as an operation that is known
        answer = await api.answer(
            f"{{ me {{ name }} x: {field} challenges {{ nodes {{ id }} }} instruments {{ nodes {{ symbol }} }} }}", mona
        )
        assert [error["extensions"]["code"] for error in answer.get("errors", [])] == ([code] if code else [])
        data = answer["data"]
        assert data["me"] == {"name": "manager"}
        assert (data["x"] is None) == (code is not None)
        assert len(data["challenges"]["nodes"]) == 1
        assert data["instruments"]["nodes"]


async def test_without_a_token_each_field_says_so(api: Api) -> None:
    answer = await api.answer("{ me { name } quotes { symbol } programPresets { name } }")
    assert answer["data"] == {"me": None, "quotes": None, "programPresets": None}
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}


@pytest.mark.parametrize("root", ["query_type", "mutation_type"])
def test_every_root_field_may_be_null(root: str) -> None:
    fields = getattr(graphql_schema(schema), root).fields
    assert fields
    assert [name for name, field in fields.items() if is_non_null_type(field.type)] == []
