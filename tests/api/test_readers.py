"""Read permissions, generated from the schema: every path to depth four with every role, against readers.txt.

A new field fails here until a line of the table names its roles.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
    parse,
)
from websockets.asyncio.client import connect

from schema.engine.permissions import roles_of
from schema.engine.read_permissions import unreadable_fields
from schema.engine.strawberry_internals import definition_of
from services import brands
from services.principals import Role
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, Api
from tests.api.generated import GRAPHQL, operation
from tests.api.streams import subscribe
from tests.api.two_brands import Desk, a_desk
from tests.services.world import ADMIN, value

DEPTH = 4  # of objects; a page and its items are one
LIVE_DEPTH = 3  # of what is executed; a deeper answer has nothing that is not in this one
DEEPER = {"ExecutionPolicy"}  # to which no path of that depth leads
TABLE = Path(__file__).with_name("readers.txt")
ROOTS = ("query", "mutation", "subscription")
Named = tuple[str, str]
"""A field by its type and name."""


@cache
def table() -> Mapping[Named, frozenset[Role]]:
    lines = [line.split() for line in TABLE.read_text().splitlines()]
    return {
        (kind, field): frozenset(Role(role) for role in roles)
        for name, *roles in lines
        for kind, _, field in [name.partition(".")]
    }


def root(kind: str) -> GraphQLObjectType:
    found = GRAPHQL.get_root_type(OperationType(kind))
    assert found
    return found


def allowed(field: GraphQLField) -> frozenset[Role]:
    return roles_of(definition_of(field)) or frozenset()


def fields(kind: GraphQLObjectType) -> Iterator[tuple[str, GraphQLField]]:
    for name, field in kind.fields.items():
        if not any(is_required_argument(argument) for argument in field.args.values()):
            yield name, field


def below(name: str, of: Any, depth: int) -> int:
    """Return the remaining depth below a field; None if the walk ends."""
    is_item = name in ("nodes", "edges", "node", "pageInfo")
    return depth if is_item or (depth == 1 and of.name in DEEPER) else depth - 1


def tree(kind: Any, depth: int, role: Role | None = None) -> str:
    """Return all fields below a field of this type; with a role, those that it may read by the table."""
    parts = ["__typename"]
    for name, field in fields(kind):
        of = get_named_type(field.type)
        if role and role not in table()[kind.name, name]:
            continue
        if is_leaf_type(of):
            parts.append(name)
        else:
            left = 0 if role and name == "node" else below(name, of, depth)  # the same objects are in `nodes`
            parts.append(f"{name} {tree(of, left, role) if left else '{ __typename }'}")
    return "{ " + " ".join(parts) + " }"


def reached(kind: Any, depth: int, closed: Iterable[Named]) -> Iterator[Named]:
    """Return the closed fields that `tree` reaches."""
    for name, field in fields(kind):
        if (kind.name, name) in closed:
            continue
        yield kind.name, name
        of = get_named_type(field.type)
        if not is_leaf_type(of) and (left := below(name, of, depth)):
            yield from reached(of, left, closed)


def closed_to(errors: Iterable[Any]) -> set[Named]:
    """Return the fields that the refusals name."""
    found = set()
    for error in errors:
        kind, _, name = error.message.split()[-1].rstrip(".").partition(".")
        found.add((kind, name))
    return found


def judged() -> Iterator[tuple[str, str, Role, GraphQLObjectType, set[Named]]]:
    """Yield each root field with each of its roles, its type, and the fields below closed to the role."""
    for kind in ROOTS:
        for name, field in root(kind).fields.items():
            of = get_named_type(field.type)
            assert isinstance(of, GraphQLObjectType)
            document = parse(f"{kind} {{ {name} {tree(of, DEPTH)} }}", no_location=True)
            for role in allowed(field):
                yield kind, name, role, of, closed_to(unreadable_fields(GRAPHQL, document, None, role))


def every() -> list[Named]:
    """Yield each field of each object type except the root types."""
    above = {root(kind).name for kind in ROOTS}
    return sorted(
        (kind.name, field)
        for kind in GRAPHQL.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__") and kind.name not in above
        for field in kind.fields
    )


def lines() -> list[str]:
    """Return the table of the current schema."""
    found: dict[Named, set[Role]] = {one: set() for one in every()}
    for _, _, role, of, closed in judged():
        for one in set(reached(of, DEPTH, closed)):
            found[one].add(role)
    return [" ".join([".".join(one), *sorted(roles, key=list(Role).index)]) for one, roles in found.items()]


def test_every_path_to_depth_four_is_open_to_exactly_the_roles_of_the_table() -> None:
    found, expected = lines(), TABLE.read_text().splitlines()
    assert not set(found) ^ set(expected), "schema/engine/readers.py decides, and readers.txt has a line for each field"
    assert expected == found, "in the order of the alphabet"
    assert not [line for line in found if " " not in line], "somebody can read everything that there is"


def test_there_are_only_objects_to_be_looked_into() -> None:
    assert not [name for name, kind in GRAPHQL.type_map.items() if is_abstract_type(kind)]


HOLDERS = {
    Role.CLIENT: ("acme", "alice"),
    Role.TRADER: ("acme", None),
    Role.FEED: (None, None),
    Role.PAYMENTS: ("acme", None),
    Role.MANAGER: ("acme", None),
    Role.ADMIN: (None, None),
}


@pytest.fixture
async def desk(api: Api) -> Desk:
    return await a_desk(api.database_url)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the limits: documents that select everything are larger than a client's may be."""
    for name in ("TOKENS", "COST", "ALIASES", "CHARACTERS"):
        monkeypatch.setenv(f"PROPDESK_DOCUMENT_{name}_MAX", "100000000")
    for name in ("ADMIN", "MANAGER", "CLIENT", "TRADER", "FEED", "PAYMENTS"):
        monkeypatch.setenv(f"PROPDESK_RATE_{name}", "100000")


def way(of: GraphQLObjectType, wanted: Named, closed: set[Named], depth: int) -> str | None:
    """Return a selection that reaches a field through open fields; None if there is none."""
    for name, field in fields(of):
        leads_to: Any = get_named_type(field.type)
        if (of.name, name) == wanted:
            return f"{{ {name} }}" if is_leaf_type(leads_to) else f"{{ {name} {{ __typename }} }}"
    for name, field in fields(of):
        leads_to = get_named_type(field.type)
        if (of.name, name) in closed or is_leaf_type(leads_to) or not (left := below(name, leads_to, depth)):
            continue
        if found := way(leads_to, wanted, closed, left):
            return f"{{ {name} {found} }}"
    return None


async def _token(api: Api, role: Role, desk: Desk | None = None) -> str:
    """Return a token; a trader's is for one account of the desk."""
    token = await api.token(role, *HOLDERS[role])
    if role is Role.TRADER and desk:
        scope = json.dumps({"accounts": [desk.acme["account"]]})
        newest = "created_at = (select max(created_at) from tokens)"
        await value(f"update tokens set scope = $1 where {newest} returning id", scope)
    return token


async def test_a_document_with_a_field_that_its_role_may_not_read_is_refused_and_nothing_is_done(
    api: Api, desk: Desk
) -> None:
    tokens = {role: await _token(api, role, desk) for role in HOLDERS}
    before, tried = await value("select count(*) from audit"), set()
    for kind, name, role, of, closed in judged():
        for one in closed:
            if kind == "subscription" or (role, one) in tried:
                continue
            selection = way(of, one, closed, DEPTH)
            assert selection, (role, one)
            text, variables = operation(kind, name)
            answer = await api.answer(text.replace("{ __typename }", selection), tokens[role], **variables)
            (error,) = answer["errors"]
            assert "data" not in answer, answer
            assert error["message"] == f"A token of role {role} may not read {'.'.join(one)}.", answer
            assert error["extensions"] == {"code": "FORBIDDEN"}
            assert error["locations"]
            tried.add((role, one))
    assert len(tried) > 15
    assert await value("select count(*) from audit") == before


IDS = {
    "account": "account", "challenge": "challenge", "challengeMetrics": "challenge", "challengeBreaches": "challenge",
    "decisionAction": "action", "program": "program", "purchase": "purchase", "bulkReinstatement": "none",
}  # fmt: skip
SEEN = {
    Role.ADMIN: {"System", "HouseAccount", "AuditEvent", "ApiToken", "Purchase", "Payout", "Wallet", "Breach", "Fill"},
    Role.MANAGER: {"HouseAccount", "AuditEvent", "AccountGroup", "Job", "Purchase", "Payout", "Wallet", "ProgramStep"},
    Role.CLIENT: {"Purchase", "Payout", "Wallet", "Transfer", "Program", "Terms", "LedgerEvent"},
    Role.TRADER: {"Account", "Challenge", "Terms", "PhaseTerms", "LedgerEvent", "Order", "Fill", "Breach", "Metric"},
    Role.FEED: {"Me", "Quote"},
    Role.PAYMENTS: {"Me", "Quote"},
}


def asked(role: Role, ids: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read every field that the table opens to the role below each query field, for objects of a brand."""
    for name, field in root("query").fields.items():
        if role not in allowed(field) or "input" in field.args:
            continue
        text, variables = operation("query", name)
        variables |= {one: ids.get(IDS[name], "0") for one in variables if one.lower().endswith("id")}
        of: Any = get_named_type(field.type)
        yield text.replace("{ __typename }", tree(of, LIVE_DEPTH, role)), variables


def answered(found: Any) -> Iterator[Named]:
    """Yield each field of each object in an answer."""
    if isinstance(found, dict):
        if kind := found.get("__typename"):
            yield from ((kind, name) for name in found if name != "__typename" and len(found) > 1)
        for one in found.values():
            yield from answered(one)
    elif isinstance(found, list):
        for one in found:
            yield from answered(one)


async def test_each_role_is_answered_what_the_table_lets_it_read(api: Api, desk: Desk) -> None:
    for role, names in SEEN.items():
        token, found = await _token(api, role, desk), set[Named]()
        for text, variables in asked(role, desk.acme):
            answer = await api.answer(text, token, **variables)
            assert "errors" not in answer, (role, text[:100], answer["errors"][:3])
            found |= set(answered(answer["data"]))
        kinds = {kind for kind, _ in found}
        assert kinds >= names, (role, names - kinds)
        expected = {one for one, roles in table().items() if one[0] in kinds and role in roles}
        assert found == expected, (role, expected - found, found - expected)


DISGUISES = [
    "{ purchases { nodes { id other: comment } } }",
    "{ purchases { nodes { ...F } } } fragment F on Purchase { tags }",
    "{ purchases { nodes { ... on Purchase { ... { comment } } } } }",
    "{ purchases { edges { node { comment } } } }",
    "{ me { challenges { nodes { purchase { comment } } } } }",
    "{ me { challenges { nodes { account { challenge { purchase { tags } } } } } } }",
    "query ($no: Boolean = false) { purchases { nodes { id comment @include(if: $no) } } }",
    "query A { me { role } } query B { purchases { nodes { comment } } }",
]


async def test_no_spelling_of_a_document_gets_round_it(api: Api, desk: Desk) -> None:
    await value("update purchases set comment = 'to be watched', tags = '{watched}' returning id")
    manager, alice = await _token(api, Role.MANAGER, desk), await _token(api, Role.CLIENT, desk)
    for text in DISGUISES:
        name = "B" if "query B" in text else None
        for _ in range(2):  # the second time it is remembered, for those who may
            body = {"query": text, "operationName": name}
            told = await api.http.post("/graphql", json=body, headers={"Authorization": f"Bearer {manager}"})
            assert "errors" not in told.json(), text
            told = await api.http.post("/graphql", json=body, headers={"Authorization": f"Bearer {alice}"})
            assert told.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN", text
            assert "watched" not in told.text
    both = "query A { me { role } } query B { purchases { nodes { comment } } }"
    body = {"query": both, "operationName": "A"}
    told = await api.http.post("/graphql", json=body, headers={"Authorization": f"Bearer {alice}"})
    assert told.json()["data"] == {"me": {"role": "CLIENT"}}, "only what is executed is judged"


async def test_a_root_field_that_a_role_may_not_use_does_not_take_its_neighbours_with_it(api: Api) -> None:
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    answer = await api.answer("{ me { role } jobs { nodes { id } } }", await _token(api, Role.CLIENT))
    assert answer["data"] == {"me": {"role": "CLIENT"}, "jobs": None}
    assert [error["path"] for error in answer["errors"]] == [["jobs"]]


async def test_a_subscription_is_refused_as_a_query_is(api: Api) -> None:
    texts = ["challengeEvents(after: \"0\") { name challenge { purchase { id } } }",
             "accountUpdates(accountId: 1) { challenge { program { id } } }"]  # fmt: skip
    await brands.save_brand(ADMIN, name="acme", title="Acme")
    token = await _token(api, Role.TRADER)
    for text in texts:
        async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
            await subscribe(socket, token, f"subscription {{ {text} }}")
            async with asyncio.timeout(PATIENCE_SECONDS):
                message = json.loads(await socket.recv())
        assert message["type"] == "error", message
        assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN", message


async def test_of_sales_a_trader_is_told_nothing_by_events_either(api: Api, desk: Desk) -> None:
    query = "query ($id: ID!) { challenge(id: $id) { events(first: 100) { totalCount nodes { name } } } }"
    names = {}
    for role in (Role.MANAGER, Role.TRADER):
        events = (await api.ask(query, await _token(api, role, desk), id=desk.acme["challenge"]))["challenge"]["events"]
        names[role] = {event["name"] for event in events["nodes"]}
        assert events["totalCount"] == len(events["nodes"])
    of_sales = {name for name in names[Role.MANAGER] if name.startswith(("prop.purchase.", "prop.payout."))}
    assert len(of_sales) > 3
    assert names[Role.TRADER] == names[Role.MANAGER] - of_sales != set()


async def test_a_filter_does_not_find_by_what_its_role_may_not_read(api: Api, desk: Desk) -> None:
    await value("update purchases set tags = '{watched}' returning id")
    alice, trader = await _token(api, Role.CLIENT, desk), await _token(api, Role.TRADER, desk)
    by_tag = 'query ($f: PurchaseFilter = {tag: "watched"}) { purchases(filter: $f) { totalCount } }'
    for text in (by_tag, '{ purchases(filter: {tag: "x"}) { totalCount } }'):
        assert await api.code(text, alice) == "FORBIDDEN"
    assert (await api.ask(by_tag, alice, f={"client": "alice"}))["purchases"]["totalCount"] > 0
    by_program = "query ($f: ChallengeFilter) { challenges(filter: $f) { totalCount } }"
    assert await api.code(by_program, trader, f={"programId": desk.acme["program"]}) == "FORBIDDEN"
    assert (await api.ask(by_program, alice, f={"programId": desk.acme["program"]}))["challenges"]["totalCount"] > 0
    counters = "query ($f: ChallengeFilter) { challengeCounters(filter: $f) { total } }"
    assert await api.code(counters, trader, f={"purchaseId": desk.acme["purchase"]}) == "FORBIDDEN"


async def test_a_client_sees_a_program_that_is_on_sale_or_that_it_bought(api: Api, desk: Desk) -> None:
    query = "query ($id: ID!) { program(id: $id) { name status steps { name } } }"
    bought = "{ challenges { nodes { program { status } } } }"
    alice, bob = await _token(api, Role.CLIENT, desk), await api.token(Role.CLIENT, "acme", "bob")
    for status, name in ((0, "ACTIVE"), (1, "DISABLED"), (2, "ARCHIVED")):
        await value("update programs set status = $1 returning id", status)
        mine = (await api.ask(query, alice, id=desk.acme["program"]))["program"]
        assert (mine["status"], len(mine["steps"])) == (name, 1)
        cards = (await api.ask(bought, alice))["challenges"]["nodes"]
        assert {card["program"]["status"] for card in cards} == {name}
        theirs = await api.answer(query, bob, id=desk.acme["program"])
        assert (theirs == await api.answer(query, bob, id="999999999")) == (name != "ACTIVE"), theirs
