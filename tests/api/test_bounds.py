"""Values generated from the schema: no scalar value, argument or cursor causes a server error."""

import base64
import json
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
from graphql import GraphQLField, GraphQLNonNull, GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument
from websockets.asyncio.client import connect

from services.principals import Role
from tests.api.clients import TRANSPORT, Api, send
from tests.api.generated import GRAPHQL, Path, least, leaves, planted, root_field, roots
from tests.api.two_brands import Ids, a_desk

UNSPEAKABLE = ["\0", "\ud800"]  # text that no column holds
EDGES = [0, -1, 2**15, 2**31 - 1, -(2**31), 2**53 - 1]
HOSTILE: dict[str, list[Any]] = {
    "String": ["\0", "\ud800", "9" * 20_000, ""],
    "ID": ["\0", "\ud800", str(2**63 - 1), f"{2**63 - 1}-{2**63 - 1}", str(2**31), "0", "-1", "9" * 400],
    "Int": EDGES[:-1],
    "Long": [*EDGES, -EDGES[-1]],
    "Decimal": ["99999999999999999999.99999999", "-99999999999999999999.99999999"],
    "DateTime": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"],
    "Date": ["0001-01-01", "9999-12-31"],
}
IN_CURSORS: dict[type, list[Any]] = {
    int: [0, 2**15, 2**31, 2**63 - 1, 1 - 2**63, 2**63, 2**64],
    str: [*UNSPEAKABLE, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+00:00", "x"],
}
BY_ID = ("account", "challenge", "program", "purchase")
DEPTH = 3


class Place(NamedTuple):
    """A field with arguments, and the path of selections to it."""

    chain: tuple[str, ...]
    owner: str
    field: str

    def document(self, arguments: dict[str, str], passed: str, below: str) -> str:
        """Return the operation that selects it with these variables (types by name)."""
        declared = f"({', '.join(f'${name}: {kind}' for name, kind in arguments.items())})" if arguments else ""
        body = f"{self.field}{f'({passed})' if passed else ''} {below}"
        for step in reversed(self.chain):
            body = f"{step} {{ {body} }}"
        return f"query {declared} {{ {body} }}"


def places(ids: Ids) -> Iterator[Place]:
    """Yield each field of an object with optional arguments only, by the shortest path to it."""
    reached: set[tuple[str, str]] = set()
    query = GRAPHQL.query_type
    assert query
    ways: list[tuple[tuple[str, ...], GraphQLObjectType]] = []
    for name, field in query.fields.items():
        named = get_named_type(field.type)
        if name in BY_ID:
            ways.append(((f'{name}(id: "{ids[name]}")',), named))
        elif not is_leaf_type(named) and not any(map(is_required_argument, field.args.values())):
            ways.append(((name,), named))
    for _ in range(DEPTH):
        further = []
        for chain, kind in ways:
            for name, field in kind.fields.items():
                if any(map(is_required_argument, field.args.values())):
                    continue
                named = get_named_type(field.type)
                if field.args and (kind.name, name) not in reached:
                    reached.add((kind.name, name))
                    yield Place(chain, kind.name, name)
                if not is_leaf_type(named) and name not in ("edges", "pageInfo"):
                    further.append(((*chain, name), named))
        ways = further


def below(kind: Any) -> str:
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    return "{ nodes { __typename } totalCount }" if "nodes" in named.fields else "{ __typename }"


class Asker:
    """A client of one role that collects error codes."""

    def __init__(self, api: Api, tokens: dict[str, str]) -> None:
        self.api, self.tokens, self.tried = api, tokens, 0

    async def codes(self, document: str, **variables: Any) -> set[str]:
        self.tried += 1
        role = "CLIENT" if " { me {" in document or "availablePrograms" in document else "ADMIN"
        answer = await self.api.answer(document, self.tokens[role], **variables)
        return {error["extensions"]["code"] for error in answer.get("errors", ())}


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn request rates off: the test sends more requests than a client may."""
    for role in ("ADMIN", "CLIENT"):
        monkeypatch.setenv(f"PROPDESK_RATE_{role}", "100000")
        monkeypatch.setenv(f"PROPDESK_PROCESSOR_SHARE_{role}", "1000")


@pytest.fixture
async def ids(unlimited: None, api: Api) -> Ids:
    return (await a_desk(api.database_url)).acme


@pytest.fixture
async def asker(api: Api, ids: Ids) -> Asker:
    tokens = {"ADMIN": await api.token(Role.ADMIN), "CLIENT": await api.token(Role.CLIENT, "acme", "alice")}
    return Asker(api, tokens)


def fields_of(name: str) -> dict[str, GraphQLField]:
    kind = GRAPHQL.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    fields: dict[str, GraphQLField] = kind.fields
    return fields


async def test_no_argument_of_a_field_below_breaks_anything(asker: Asker, ids: Ids) -> None:
    for place in places(ids):
        field = fields_of(place.owner)[place.field]
        for argument, one in field.args.items():
            for path, scalar in leaves(one.type, (argument,)):
                for value in HOSTILE.get(scalar, ()):
                    text = place.document({"v": str(one.type)}, f"{argument}: $v", below(field.type))
                    given = planted(one.type, None, path[1:], value)
                    codes = await asker.codes(text, v=given)
                    assert codes <= {"BAD_USER_INPUT", "NOT_FOUND"}, (place, path, value)
                    if value in UNSPEAKABLE:
                        assert codes == {"BAD_USER_INPUT"}, (place, path, value)
    assert asker.tried > 150


async def test_no_cursor_breaks_anything(asker: Asker, ids: Ids) -> None:
    paged = [place for place in places(ids) if "after" in fields_of(place.owner)[place.field].args]
    query = GRAPHQL.query_type
    assert query
    paged += [
        Place((), "Query", name)
        for name, field in query.fields.items()
        if "after" in field.args and not any(map(is_required_argument, field.args.values()))
    ]
    with_rows = 0
    for place in paged:
        cursor = await _cursor(asker, place)
        if cursor is None:
            continue
        with_rows += 1
        keys = json.loads(base64.b64decode(cursor, altchars=b"-_"))
        text = place.document({"after": "String"}, "first: 1, after: $after", "{ nodes { __typename } }")
        for at, _ in enumerate(keys):
            for value in IN_CURSORS[type(keys[at])]:
                forged = json.dumps([*keys[:at], value, *keys[at + 1 :]]).encode()
                codes = await asker.codes(text, after=base64.urlsafe_b64encode(forged).decode())
                assert codes <= {"BAD_USER_INPUT"}, (place, at, value)
    assert with_rows > 25


async def _cursor(asker: Asker, place: Place) -> str | None:
    """Return the first cursor of a list at this path; None if all lists are empty."""
    text = place.document({}, "first: 1", "{ pageInfo { endCursor } }")
    role = "CLIENT" if "me" in place.chain else "ADMIN"
    answer = await asker.api.answer(text, asker.tokens[role])
    found = json.dumps(answer).split('"endCursor": "')[1:]
    return found[0].split('"')[0] if found else None


async def test_a_subscription_refuses_text_that_no_column_holds(asker: Asker, ids: Ids) -> None:
    admin, tried = asker.tokens["ADMIN"], 0
    async with connect(asker.api.websocket_url, subprotocols=[TRANSPORT]) as socket:
        await send(socket, type="connection_init", payload={"authorization": f"Bearer {admin}"})
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        for name, path, value in _places_of_text():
            arguments = root_field("subscription", name).args
            given = {arg: least(one.type) for arg, one in arguments.items() if isinstance(one.type, GraphQLNonNull)}
            given[path[0]] = planted(arguments[path[0]].type, given.get(path[0]), path[1:], value)
            declared = ", ".join(f"${arg}: {arguments[arg].type}" for arg in given)
            passed = ", ".join(f"{arg}: ${arg}" for arg in given)
            text = f"subscription ({declared}) {{ {name}({passed}) {{ __typename }} }}"
            tried += 1
            await send(socket, type="subscribe", id=str(tried), payload={"query": text, "variables": given})
            message = json.loads(await socket.recv())
            assert (message["type"], message["id"]) == ("error", str(tried)), (name, path, message)
            assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT", (name, path, message)
    assert tried >= 8


def _places_of_text() -> Iterator[tuple[str, tuple[str, ...], str]]:
    for name in roots()["subscription"]:
        for argument, one in root_field("subscription", name).args.items():
            texts: list[Path] = [path for path, scalar in leaves(one.type, (argument,)) if scalar in ("String", "ID")]
            for path, value in product(texts, UNSPEAKABLE):
                yield name, path, value  # type: ignore[misc] # the first part is the argument's name
