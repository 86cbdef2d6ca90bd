"""Numbers of SQL statements, generated from the schema: for every field of every type that leads to an object."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import asyncpg
import pytest
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument

from app.live.hub import Hub
from resolvers.main import schema
from schema.engine.document_limits import DocumentLimits
from schema.engine.paging import LONG, SHORT
from schema.engine.request_context import Context
from services.principals import Principal, Role
from tests.api.generated import GRAPHQL
from tests.api.two_brands import a_desk

ROOT = Principal(1, "root", Role.ADMIN)
FOLDED = {  # these are computed from all there is of an account, which takes several statements, each of them once
    "snapshot", "decisionContext", "progress", "payoutEligibility",
}  # fmt: skip
UNSTEADY = {"snapshot", "decisionContext"}  # the market moves meanwhile
BESIDE = {"system", "me", "programPresets", "availablePrograms"}  # no lists of rows, or one that wants a brand named


class Chain(NamedTuple):
    """A path of fields from a root list to an object whose own fields are selected."""

    names: tuple[str, ...]
    field: GraphQLField
    end: GraphQLObjectType

    @property
    def is_page(self) -> bool:
        return self.end.name.endswith("Connection")

    def text(self, plain: str) -> str:
        inner = f"{{ nodes {plain} }}" if self.is_page else plain
        for name in reversed(self.names):
            inner = f"{{ {name} {inner} }}"
        return inner

    @property
    def item(self) -> GraphQLObjectType:
        return _object(self.end.fields["nodes"]) if self.is_page else self.end

    @property
    def levels(self) -> int:
        """Return the number of its fields that may read the database; `nodes` of a page do not."""
        return sum(name != "nodes" for name in self.names)


def _object(field: GraphQLField) -> GraphQLObjectType:
    found = get_named_type(field.type)
    assert isinstance(found, GraphQLObjectType)
    return found


def _followed(of: GraphQLObjectType) -> Iterator[tuple[str, GraphQLField]]:
    for name, field in of.fields.items():
        if not any(is_required_argument(one) for one in field.args.values()):
            yield name, field


def chains() -> list[Chain]:
    """Yield the shortest path to each field of each type."""
    assert GRAPHQL.query_type
    found, seen = [], set()
    for name, field in _followed(GRAPHQL.query_type):
        if name not in BESIDE and not is_leaf_type(get_named_type(field.type)):
            found.append(Chain((name,), field, _object(field)))
    for chain in found:  # and those it finds meanwhile
        for name, field in _followed(chain.item):
            if (chain.item.name, name) not in seen and not is_leaf_type(get_named_type(field.type)):
                seen.add((chain.item.name, name))
                way = (*chain.names, *(("nodes",) if chain.is_page else ()), name)
                found.append(Chain(way, field, _object(field)))
    return found


def plain(of: GraphQLObjectType) -> str:
    names = [name for name, field in _followed(of) if is_leaf_type(get_named_type(field.type))]
    return "{ " + " ".join(["__typename", *names]) + " }"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the statements that were sent."""
    sent: Counter[str] = Counter()
    original = asyncpg.Connection._execute  # noqa: SLF001 - all of fetch, fetchrow and fetchval come by here

    async def counted(self: Any, query: str, *given: Any, **named: Any) -> Any:
        if self._proxy is not None:  # else it belongs to the opening of a connection
            sent[query] += 1
        return await original(self, query, *given, **named)

    monkeypatch.setattr(asyncpg.Connection, "_execute", counted)
    return sent


ANYTHING = DocumentLimits(tokens=10**6, depth=100, cost=10**12)


async def _ask(text: str) -> Any:
    result = await schema.execute(text, context_value=Context(Hub("unused"), ROOT, limits=ANYTHING))
    assert not result.errors, (text, result.errors)
    return result.data


async def test_every_page_is_had_at_its_limit_and_refused_one_past_it(database: str) -> None:
    await a_desk(database)
    histories = set()
    for chain in chains():
        if chain.is_page:
            *way, name = chain.names
            assert chain.field.args["first"].description
            most = LONG if f"1 to {LONG}" in chain.field.args["first"].description else SHORT
            histories |= {name} if most == LONG else set()
            await _ask(Chain((*way, f"{name}(first: {most})"), chain.field, chain.end).text("{ __typename }"))
            past = Chain((*way, f"{name}(first: {most + 1})"), chain.field, chain.end).text("{ __typename }")
            result = await schema.execute(past, context_value=Context(Hub("unused"), ROOT, limits=ANYTHING))
            assert result.errors, past
            assert f"between 1 and {most}" in result.errors[0].message, past
    assert {"metrics", "breaches", "ledger", "events"} <= histories


async def test_no_list_costs_more_than_one_statement_a_level_and_counts_only_when_asked(
    database: str, made: Counter[str]
) -> None:
    await a_desk(database)
    several = 0
    for chain in chains():
        text = chain.text(plain(chain.item))
        made.clear()
        data = await _ask(text)
        most = 2 if FOLDED & set(chain.names) else 1  # accounts are read for their rows, and for what is folded of them
        assert max(made.values(), default=1) <= most, (text, made)
        if not FOLDED & set(chain.names):
            assert made.total() <= chain.levels, (text, made)
        if not UNSTEADY & set(chain.names):
            assert await _ask(text) == data, f"asked again, links are read with their page: {text}"
        several += str(data).count(f"'__typename': '{chain.item.name}'") > 1
        if chain.is_page and not FOLDED & set(chain.names):
            uncounted = made.copy()
            await _ask(text.replace(f"nodes {plain(chain.item)}", "totalCount"))
            assert sum((made - uncounted - uncounted).values()) == 1, (text, made)
            assert not [sent for sent in uncounted if "count(*)" in sent], text
    assert several > 30


PAGE = """query Page($after: String, $linked: Boolean = true) { challenges(first: 1, after: $after) {
  nodes { id program @include(if: $linked) { name } purchase { id } } edges { node { program { id } } }
  pageInfo { endCursor hasNextPage } } }"""


async def test_a_page_is_read_with_what_its_rows_lead_to_once_its_operation_is_known(
    database: str, made: Counter[str]
) -> None:
    await a_desk(database)

    async def ask(**variables: object) -> Any:
        made.clear()
        result = await schema.execute(PAGE, variables, Context(Hub("unused"), ROOT, limits=ANYTHING))
        assert not result.errors, result.errors
        assert result.data
        return result.data["challenges"]

    first = await ask()
    assert made.total() == 3  # challenges, programs, purchases
    assert await ask() == first
    assert made.total() == 1
    cursor = first["pageInfo"]["endCursor"]
    second = await ask(after=cursor)
    assert made.total() == 1
    assert second["nodes"][0]["id"] != first["nodes"][0]["id"]
    assert second["nodes"][0]["program"]["name"]
    assert await ask(after=second["pageInfo"]["endCursor"], linked=False) is not None
    bare = await ask(linked=False)
    assert "program" not in bare["nodes"][0]
    assert bare["edges"] == first["edges"]
    last = await ask(after="WzBd")  # of the challenge 0, after which there is none
    assert (made.total(), last["nodes"]) == (1, [])
