"""The limits of documents: each at its edge and one above it, and documents built to exhaust the server."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from graphql import (
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
    get_introspection_query,
    parse,
    specified_rules,
)
from hypothesis import given
from hypothesis import strategies as st

from app.live.hub import Hub
from app.request import responses
from app.request.content_negotiation import JSON
from resolvers.main import schema
from schema.engine import document_checks
from schema.engine.document_checks import ERRORS_MAX, SHORT_CHARACTERS_MAX, DocumentRequest, check_now
from schema.engine.document_limits import (
    COUNT_COST,
    FILTER_COST,
    LIST_SIZE,
    TEXT_COST,
    DocumentLimits,
    DocumentWeigher,
    LimitExceeded,
    Weight,
    parse_document,
)
from schema.engine.field_repeats import most_repeats
from schema.engine.request_context import Context
from schema.engine.strawberry_internals import graphql_schema
from services.principals import Role
from tests.api.clients import Api

NOBODY = Context(Hub("unused"))
CORE = graphql_schema(schema)


def weigh(text: str, **variables: object) -> Weight:
    document = parse(text)
    return DocumentWeigher(CORE, document, variables).operation(document.definitions[0])  # type: ignore[arg-type]


def cost(text: str, **variables: object) -> int:
    return weigh(text, **variables).cost(LIST_SIZE)


def test_a_page_multiplies_what_is_asked_of_its_items() -> None:
    assert cost("{ system { mode } }") == 2
    assert cost("{ challenges(first: 50) { nodes { id status } } }") == 1 + 50 * 3
    assert cost("{ challenges { pageInfo { endCursor } nodes { id } } }") == 1 + 2 + 20 * 2  # the default page
    assert cost("query ($n: Int!) { challenges(first: $n) { nodes { id } } }", n=7) == 1 + 7 * 2
    nested = "{ challenges(first: 5) { nodes { metrics(first: 1000) { nodes { equity } } } } }"
    assert cost(nested) == 1 + 5 * (1 + 1 + 1000 * 2)


def test_what_looks_at_rows_costs_more_than_what_shows_them() -> None:
    page = cost("{ challenges { nodes { id } } }")
    assert cost("{ challenges { totalCount nodes { id } } }") == page + 1 + COUNT_COST
    assert cost("{ challenges(first: 5) { nodes { metrics { totalCount } } } }") == 1 + 5 * (1 + 1 + 1 + COUNT_COST)
    assert cost("{ challenges(filter: {status: ACTIVE}) { nodes { id } } }") == page + FILTER_COST
    assert cost("{ challenges(filter: null) { nodes { id } } }") == page
    assert cost('{ challenges(filter: {text: "a"}) { nodes { id } } }') == page + FILTER_COST + TEXT_COST
    asked = "query ($f: ChallengeFilter) { challenges(filter: $f) { nodes { id } } }"
    assert cost(asked) == page + FILTER_COST + TEXT_COST  # what the variable holds is not known
    assert cost("query ($f: JobFilter) { jobs(filter: $f) { nodes { id } } }") == page + FILTER_COST


async def test_many_searches_by_text_are_more_than_a_document_may_cost() -> None:
    counters = " ".join(f'c{n}: challengeCounters(filter: {{text: "x{n}"}}) {{ total }}' for n in range(25))
    result = await schema.execute(f"{{ {counters} }}", context_value=NOBODY)
    assert result.errors
    assert result.errors[0].extensions
    assert (result.errors[0].extensions["limit"], result.errors[0].extensions["code"]) == ("cost", "BAD_USER_INPUT")


def test_a_fragment_counts_wherever_it_is_spread() -> None:
    plain = "{ a: challenge(id: 1) { id status } b: challenge(id: 2) { id status } }"
    spread = (
        "query { a: challenge(id: 1) { ...c } b: challenge(id: 2) { ... on Challenge { ...c } } }"
        "fragment c on Challenge { id status }"
    )
    assert weigh(plain) == weigh(spread)
    assert (weigh(plain).depth, weigh(plain).aliases, weigh(plain).roots) == (2, 2, 2)


def bomb(levels: int) -> str:
    """Return a document with 2 ** levels fields in a few hundred bytes."""
    doubled = "".join(f"fragment f{n} on Query {{ a{n}: __typename ...f{n + 1} ...f{n + 1} }} " for n in range(levels))
    return "{ ...f0 } " + doubled + f"fragment f{levels} on Query {{ __typename }}"


async def test_a_bomb_of_nested_fragments_is_refused_before_it_is_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.engine.document_checks.validate", None)  # nothing may call it
    result = await schema.execute(bomb(60), context_value=NOBODY)
    assert result.errors
    assert result.errors[0].extensions
    assert {key: result.errors[0].extensions[key] for key in ("code", "limit")} == {
        "code": "BAD_USER_INPUT",
        "limit": "aliases",
    }


def test_a_fragment_that_spreads_itself_ends_the_walk() -> None:
    weigh("{ ...f } fragment f on Query { __typename ...g } fragment g on Query { ...f }")


SMALL = DocumentLimits(characters=600, tokens=40, fragments=2, repeats=3, depth=3, aliases=2, roots=3, cost=2_000)
F, G, H = (f"fragment {name} on Query {{ {name}: __typename }}" for name in "FGH")
EDGES = {
    "characters": ("{ __typename }" + " " * (600 - 14), "{ __typename }" + " " * (601 - 14)),
    "fragments": (f"{{ ...F ...G }} {F} {G}", f"{{ ...F ...G ...H }} {F} {G} {H}"),
    "repeats": (
        "{ me { role ... { role } ...R } } fragment R on Me { role }",
        "{ me { role ... { role role } ...R } } fragment R on Me { role }",
    ),
    "tokens": ("{ " + "__typename " * 38 + "}", "{ " + "__typename " * 39 + "}"),
    "depth": ("{ challenge(id: 1) { account { id } } }", "{ challenge(id: 1) { account { challenge { id } } } }"),
    "aliases": ("{ a: __typename b: __typename }", "{ a: __typename b: __typename c: __typename }"),
    "root fields": ("{ " + "__typename " * 3 + "}", "{ " + "__typename " * 4 + "}"),
    "cost": (
        "{ challenges(first: 1) { nodes { metrics(first: 998) { nodes { equity } } } } }",
        "{ challenges(first: 1) { nodes { metrics(first: 999) { nodes { equity } } } } }",
    ),
}


@pytest.mark.parametrize("name", EDGES)
async def test_each_limit_at_its_edge_and_one_past_it(name: str) -> None:
    apart = {"tokens": {"roots": 100, "repeats": 100}, "root fields": {"repeats": 9}, "cost": {"depth": 9},
             "fragments": {"aliases": 9}}  # fmt: skip
    alone = replace(SMALL, **apart.get(name, {}))
    assert [await _limit(text, alone) for text in EDGES[name]] == [None, name]


async def _limit(text: str, allowed: DocumentLimits, operation: str | None = None) -> str | None:
    """Return the limit that a document exceeds, if any."""
    context = Context(Hub("unused"), limits=allowed)
    result = await schema.execute(text, context_value=context, operation_name=operation)
    for error in result.errors or ():
        if isinstance(error, LimitExceeded):
            assert error.extensions
            assert error.extensions["seen"] > error.extensions["max"]
            return str(error.extensions["limit"])
    return None


SIZES: list[tuple[str, dict[str, object]]] = [
    ("{ challenges(first: 90) { nodes { id } } }", {}),
    ("query ($n: Int!) { challenges(first: $n) { nodes { id } } }", {"n": 90}),
    ("query ($n: Int!) { challenges(first: $n) { nodes { id } } }", {"n": 90.0}),
    ("query ($n: Int! = 90) { challenges(first: $n) { nodes { id } } }", {}),
    ("query ($n: Int! = 90) { ...F } fragment F on Query { challenges(first: $n) { nodes { id } } }", {}),
]


@pytest.mark.parametrize(("text", "variables"), SIZES)
async def test_a_page_counts_however_its_size_is_given(text: str, variables: dict[str, object]) -> None:
    context = Context(Hub("unused"), limits=DocumentLimits(cost=180))
    result = await schema.execute(text, variables, context)
    assert result.errors
    [error] = result.errors
    assert isinstance(error, LimitExceeded)
    assert error.extensions
    assert error.extensions["seen"] == 1 + 90 * 2


QUADRATIC = {
    "fields": "{ me { " + "role " * 900 + "} }",
    "objects": "{ challenges { nodes { " + "account { challenge { account { id } } } " * 300 + "} } }",
    "fragments": "{ me { " + " ".join(f"...f{n}" for n in range(99)) + " } } "
                 + " ".join(f"fragment f{n} on Me {{ role }}" for n in range(99)),
    "not executed": "query A { __typename } query B { me { " + "role " * 900 + "} }",
    "not spread": "{ __typename } fragment F on Me { " + "role " * 900 + "}",
}  # fmt: skip


@pytest.mark.parametrize("text", QUADRATIC.values(), ids=QUADRATIC)
async def test_what_takes_long_to_validate_is_not_validated(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.engine.document_checks.validate", None)  # nothing may call it
    operation = "A" if "query A" in text else None
    assert await _limit(text, DocumentLimits(), operation) == "repeats"


def test_deep_brackets_never_reach_the_parser() -> None:
    for text in ("{a" * 101, "{ a(b: " + "[" * 100, "{ a(b: " + "{b: " * 100):
        with pytest.raises(LimitExceeded, match="nesting is 101"):
            parse_document(text, 5_000)
    with pytest.raises(GraphQLError, match="Syntax Error"):
        parse_document("{a" * 100, 5_000)


def test_what_tools_ask_for_is_allowed() -> None:
    found = weigh(get_introspection_query(input_value_deprecation=True))
    assert found.depth <= DocumentLimits().depth
    assert found.cost(LIST_SIZE) <= DocumentLimits().cost


async def test_the_answer_tells_the_cost(api: Api) -> None:
    answer = await api.answer("{ challenges(first: 3) { nodes { id } } }", await api.token("ADMIN"))
    assert answer["extensions"]["cost"] == {"used": 7, "max": DocumentLimits().cost}


LOOP_SECONDS_MAX = 0.05
FILL = 15_000  # characters, of which each hostile document has about as many as are allowed
HOSTILE: dict[str, Callable[[int], str]] = {
    "unknown inputs": lambda n: "mutation { createProgram(input: {" + " ".join(f"nam{i}: 1" for i in range(n // 9))
    + "}) { program { id } } }",
    "unknown fields": lambda n: "{ " + " ".join(f"challengez{i}" for i in range(n // 15)) + " }",
    "unknown arguments": lambda n: "{ challenges(" + " ".join(f"firstt{i}: 1" for i in range(n // 13))
    + ") { nodes { id } } }",
    "unknown types": lambda n: "query (" + " ".join(f"$a{i}: Strinng{i}" for i in range(n // 17)) + ") { me { role } }",
    "unknown enum values": lambda n: "{ challenges(filter: {status: [" + " ".join(f"ACTIVV{i}" for i in range(n // 11))
    + "]}) { nodes { id } } }",
    "undefined variables": lambda n: "{ "
    + " ".join(f"a{i}: challenge(id: $v{i}) {{ id }}" for i in range(n // 33)) + " }",
    "incomplete steps": lambda n: "mutation { createProgram(input: {steps: [" + "{phaseIndex: 1} " * (n // 16)
    + "]}) { program { id } } }",
    "one field": lambda n: "{ challenges { nodes { " + "id " * (n // 3) + "} } }",
    "one field below one field": lambda n: "{ challenges { nodes { " + "purchase { id client } " * (n // 23) + "} } }",
    "repeats of two levels": lambda n: "{ " + "challenges { nodes { program { id id id } } } " * min(29, n // 47) + "}",
    "unused fragments": lambda n: "{ me { role } } "
    + " ".join(f"fragment f{i} on Challenge {{ id }}" for i in range(min(99, n // 33))),
    "long text": lambda n: '{ challenges(filter: {text: "' + "a" * (n - 60) + '"}, firstt: 1) { nodes { id } } }',
    "long name": lambda n: "{ " + "a" * (n - 10) + " }",
    "nesting": lambda n: "{ challenges(filter: {status: " + "[" * 99 + "]" * 99 + "}) { nodes { id } } }",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_is_answered_shortly(name: str) -> None:
    context = Context(Hub("unused"))
    result = await schema.execute(HOSTILE[name](FILL), context_value=context)
    assert result.errors, name
    assert len(result.errors) <= ERRORS_MAX + 1
    answer = b"".join((await responses.result_response(result, JSON, context)).pieces)
    assert len(answer) < 4_000, (name, len(answer))
    assert context.thread_seconds > 0, "another thread has looked at it"


def test_no_short_document_holds_the_event_loop_for_long() -> None:
    slowest = {}
    for name, document in HOSTILE.items():
        rules = tuple(specified_rules)
        question = DocumentRequest(
            CORE, rules, document(SHORT_CHARACTERS_MAX)[:SHORT_CHARACTERS_MAX], DocumentLimits(), None, Role.CLIENT, ()
        )
        slowest[name] = min(check_now(question).seconds for _ in range(3))  # of processor time, whatever else runs
    assert max(slowest.values()) < LOOP_SECONDS_MAX, slowest


async def test_too_many_long_documents_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document_checks, "_waiting", document_checks.WAITING_MAX)
    result = await schema.execute(HOSTILE["unknown fields"](FILL), context_value=NOBODY)
    assert result.errors
    assert result.errors[0].extensions == {"code": "BUSY", "retryAfter": 1.0}


@given(st.data())
def test_repeats_are_those_of_the_merged_selection(data: st.DataObject) -> None:
    """Compare with a count that merges the fields, for documents that spread no fragment twice."""

    def selection(depth: int) -> str:
        names = data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
        return (
            "{ "
            + " ".join(name + (f" {selection(depth - 1)}" if depth and name != "a" else "") for name in names)
            + " }"
        )

    def merged(nodes: list[SelectionSetNode]) -> int:
        by_name: dict[str, list[FieldNode]] = {}
        for node in nodes:
            for part in node.selections:
                assert isinstance(part, FieldNode)
                by_name.setdefault(part.name.value, []).append(part)
        below = [merged([p.selection_set for p in parts if p.selection_set]) for parts in by_name.values()]
        return max([*map(len, by_name.values()), *below], default=0)

    document = parse(selection(3))
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert most_repeats(document) >= merged([operation.selection_set])
