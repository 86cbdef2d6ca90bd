"""Production: no introspection, no page, and the first ADMIN token is made once."""

import asyncio
from typing import Any

import pytest

from config.settings import Settings
from services import tokens
from tests.api.clients import Api

BOOTSTRAP = """mutation ($input: BootstrapAdminInput!) { bootstrapAdmin(input: $input) {
  token userErrors { code field } } }"""
SECRET = "vq3Xo1nT8mZr5LkD0yBf7JhWc2PsGe9u"
AUDIT = "{ auditLog { nodes { actor role operation objectKind after } } }"

HINTED: list[tuple[str, dict[str, Any]]] = [
    ("{ accountz { totalCount } }", {}),
    ("{ accounts(firzt: 1) { totalCount } }", {}),
    ("{ accounts @include(iff: true) { totalCount } }", {}),
    ("query ($a: Rolle) { __typename }", {}),
    ("{ __typename ... on Acount { id } }", {}),
    ("{ accounts(filter: {statuz: [ACTIVE]}) { totalCount } }", {}),
    ("{ accounts(filter: {status: [ACTIV]}) { totalCount } }", {}),
    ("query ($f: AccountFilter) { accounts(filter: $f) { totalCount } }", {"f": {"statuz": ["ACTIVE"]}}),
    ("query ($f: AccountFilter) { accounts(filter: $f) { totalCount } }", {"f": {"status": ["ACTIV"]}}),
]
INTROSPECTION = [
    "{ __schema { types { name } } }",
    '{ __type(name: "Account") { name } }',
    "{ ...F } fragment F on Query { __schema { description } }",
]


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_ENVIRONMENT", "production")


@pytest.fixture
def with_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "settings", lambda: Settings(bootstrap_secret=SECRET))


async def test_in_development_the_schema_explains_itself(api: Api) -> None:
    for text, variables in HINTED:
        assert "Did you mean" in str((await api.answer(text, **variables))["errors"]), text
    for text in INTROSPECTION:
        assert "errors" not in await api.answer(text), text


async def test_in_production_nobody_learns_a_name_of_the_schema(production: None, api: Api) -> None:
    admin = await api.token("ADMIN")
    for token in (None, admin):
        for text, variables in HINTED:
            errors = (await api.answer(text, token, **variables))["errors"]
            assert all(error["message"] for error in errors), text
            assert "Did you mean" not in str(errors), text
        for text in INTROSPECTION:
            answer = await api.answer(text, token)
            assert "data" not in answer, text
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}, text
    assert await api.ask("{ __typename me { role } }", admin) == {"__typename": "Query", "me": {"role": "ADMIN"}}


async def test_in_production_a_websocket_explains_nothing_either(production: None, api: Api) -> None:
    admin = await api.token("ADMIN")
    for text in (INTROSPECTION[0], "subscription { challengeEventz { name } }"):
        async with api.follow(admin, text) as follower, asyncio.timeout(30):
            told = str(await follower.socket.recv())
        assert '"error"' in told
        assert "Did you mean" not in told


async def test_in_production_there_is_no_page(production: None, api: Api) -> None:
    for path in ("/graphql", "/graphiql/", "/graphiql/index.html", "/graphiql/operations.json"):
        response = await api.http.get(path, headers={"Accept": "text/html"})
        assert response.status_code in (404, 406), path
        assert "html" not in response.headers["content-type"]
    page = await api.http.get("/graphql", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/plain")
    assert "In production it has no GraphiQL page" in page.text
    assert "it has no page for browsers" in (await api.http.get("/")).text.replace("\n", " ")


async def test_the_first_admin_is_made_once_and_noted(production: None, with_secret: None, api: Api) -> None:
    asked = {"secret": SECRET, "name": "ops"}
    assert (await api.answer(BOOTSTRAP, input=asked | {"name": " "}))["data"]["bootstrapAdmin"] == {
        "token": None,
        "userErrors": [{"code": "INVALID_INPUT", "field": "name"}],
    }
    made = (await api.answer(BOOTSTRAP, input=asked))["data"]["bootstrapAdmin"]
    assert made["userErrors"] == []
    assert await api.ask("{ me { role name } }", made["token"]) == {"me": {"role": "ADMIN", "name": "ops"}}
    assert (await api.ask(AUDIT, made["token"]))["auditLog"]["nodes"] == [
        {
            "actor": "admin:ops",
            "role": "ADMIN",
            "operation": "bootstrapAdmin",
            "objectKind": "token",
            "after": {"role": "ADMIN", "name": "ops"},
        }
    ]
    for token in (None, made["token"]):
        assert await api.code(BOOTSTRAP, token, input=asked) == "FORBIDDEN"


async def test_of_several_at_once_one_makes_the_first_admin(with_secret: None, api: Api) -> None:
    answers = await asyncio.gather(
        *(api.answer(BOOTSTRAP, input={"secret": SECRET, "name": f"ops-{place}"}) for place in range(8))
    )
    made = [answer["data"]["bootstrapAdmin"]["token"] for answer in answers if "errors" not in answer]
    assert len(made) == 1
    refused = [answer["errors"][0]["extensions"]["code"] for answer in answers if "errors" in answer]
    assert refused == ["FORBIDDEN"] * 7


async def test_another_secret_makes_nobody(with_secret: None, api: Api) -> None:
    for secret in ("", SECRET[:-1], SECRET.lower(), f"{SECRET} ", "\N{SNOWMAN}"):
        assert await api.code(BOOTSTRAP, input={"secret": secret, "name": "ops"}) == "FORBIDDEN"
    assert (await api.answer(BOOTSTRAP, input={"secret": SECRET, "name": "ops"}))["data"]["bootstrapAdmin"]["token"]


async def test_a_desk_without_a_secret_has_no_bootstrap(api: Api) -> None:
    for secret in ("", "None", SECRET):
        assert await api.code(BOOTSTRAP, input={"secret": secret, "name": "ops"}) == "FORBIDDEN"


async def test_an_admin_token_that_has_ended_still_counts(with_secret: None, api: Api) -> None:
    await tokens.reissue_token(role="ADMIN", brand=None, name="ops")
    await tokens.reissue_token(role="FEED", brand=None, name="ops")  # which revokes the other
    assert await api.code(BOOTSTRAP, input={"secret": SECRET, "name": "ops"}) == "FORBIDDEN"
