"""The limits of variables: size times uses, and the number of actions in one document."""

from typing import Any

import pytest
from graphql import parse

from resolvers.main import schema
from schema.engine.document_limits import DocumentLimits
from schema.engine.request_context import Context
from schema.engine.variable_weights import repeated_variables
from services.principals import Principal, Role
from tests.api.clients import Api
from tests.services.world import a_world, rows, value

MANAGER = Principal(1, "variables", Role.MANAGER, "variables")
ONCE = "query Once($f: ChallengeFilter) { challenges(filter: $f) @skip(if: true) { totalCount } }"
TWICE = """query Twice($f: ChallengeFilter) { a: challenges(filter: $f) @skip(if: true) { totalCount } ...B }
fragment B on Query { b: challenges(filter: $f) @skip(if: true) { totalCount } }"""
DOCUMENTS: list[tuple[str, str | None, dict[str, int]]] = [
    ("query ($a: ID) { x(id: $a) }", None, {}),
    ("query ($a: ID) { x(id: $a) y(id: $a) }", None, {"a": 2}),
    ("query ($a: ID) { x(in: {b: [{c: $a}, $a]}) @skip(if: $a) }", None, {"a": 3}),
    ("query ($a: ID) { ...F ...F } fragment F on Q { x(id: $a) ...G } fragment G on Q { ... { y(id: $a) } }", None,
     {"a": 4}),
    ("query A($a: ID) { x(id: $a) } query B($a: ID) { x(id: $a) y { z(id: $a) } }", "A", {}),
    ("query A($a: ID) { x(id: $a) } query B($a: ID) { x(id: $a) y { z(id: $a) } }", "B", {"a": 2}),
    ("query ($a: ID) { __typename } fragment F on Q { x(id: $a) y(id: $a) }", None, {}),
    ("{ " + "...F0 " * 2 + "} " + " ".join(f"fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }}" for n in range(90))
     + " fragment F90 on Q { x(id: $a) }", None, {"a": 2**91}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "uses"), DOCUMENTS)
def test_uses_are_counted_wherever_they_stand(text: str, name: str | None, uses: dict[str, int]) -> None:
    assert {variable: many for variable, many, _ in repeated_variables(parse(text), name)} == uses


async def _seen(text: str, variables: dict[str, Any], limit: int = 1_000) -> int | None:
    """Return the weight of variables above the limit; None below it."""
    context = Context(None, MANAGER, limits=DocumentLimits(variables=limit))  # type: ignore[arg-type] # nothing is subscribed to
    result = await schema.execute(text, variables, context)
    for error in result.errors or ():
        if error.extensions and error.extensions.get("limit") == "variables":
            assert error.extensions["code"] == "BAD_USER_INPUT"
            seen: int = error.extensions["seen"]
            return seen
    return None


async def test_a_variable_weighs_as_often_as_it_is_used() -> None:
    given = {"f": {"text": "x" * 489}}  # 500 characters of JSON
    assert await _seen(ONCE, {"f": {"text": "x" * 5_000}}) is None
    assert await _seen(TWICE, given) is None
    assert await _seen(TWICE, {"f": {"text": "x" * 490}}) == 1_002
    assert await _seen(TWICE, {"f": {"text": "\ud800" * 200}}) == 2 * (200 * 6 + 12), "whatever it is"
    default = TWICE.replace("Filter)", 'Filter = {text: "%s"})' % ("x" * 500), 1)
    assert await _seen(default, {}) == 2 * 510
    assert await _seen(default, given) is None


READY = "query Again($no: Boolean!) { me @skip(if: $no) { role } ... @skip(if: $no) { me { role } } }"


async def test_an_operation_that_was_answered_before_is_weighed_again() -> None:
    assert await _seen(READY, {"no": True}, 20) is None
    assert await _seen(READY, {"no": "x" * 20}, 20) == 44


SUBMIT = """mutation ($actions: [DecisionActionInput]!) { %s }"""
FIELD = """a%d: submitDecisionActions(input: {accountId: "%s", runId: "r%d", actions: $actions}) {
  results { code } userErrors { code message } }"""


async def test_all_fields_of_a_document_together_propose_a_bounded_number_of_actions(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    trader = await api.token("TRADER", "acme")
    hold = {"action": "HOLD", "symbol": "EURUSD", "side": "LONG"}
    batch = [{"actionId": str(n), **hold} for n in range(250)]
    text = SUBMIT % " ".join(FIELD % (n, account, n) for n in range(25))
    assert await api.code(text, trader, actions=batch) == "BAD_USER_INPUT", "what 25 fields use weighs 25 times"

    text = SUBMIT % " ".join(FIELD % (n, account, n) for n in range(6))
    for _ in range(2):
        answer = await api.ask(text, trader, actions=batch)
        codes = [[error["code"] for error in answer[f"a{n}"]["userErrors"]] for n in range(6)]
        assert codes == [[], [], [], [], ["TOO_MANY_ACTIONS"], ["TOO_MANY_ACTIONS"]]
        assert "1250" in answer["a4"]["userErrors"][0]["message"]
    assert await value("select count(*) from decision_actions") == 1_000
    assert await rows("select refusals_stored, refusals_beyond from balances where refusals_stored > 0") == [
        {"refusals_stored": 1_000, "refusals_beyond": 0}
    ]


STEPS = """query Steps($actions: CreateProgramInput!) {
  validateProgram(input: $actions) @skip(if: true) { __typename } }"""
PARTS = """query Parts($actions: [StepInput!]!) { validateProgram(
  input: {name: "x", price: "1", priceCurrency: "USD", steps: $actions}) @skip(if: true) { __typename } }"""
BATCH = """query Batch($input: SubmitDecisionActionsInput!) {
  previewDecisionActions(input: $input) @skip(if: true) { __typename } }"""
HAND_IN = "mutation HandIn($given: IngestQuotesInput!) { ingestQuotes(input: $given) @skip(if: true) { __typename } }"
QUOTES = "mutation Quotes($list: QuoteList!) { ingestQuotes(input: {quotes: $list}) @skip(if: true) { __typename } }"
LISTED = "query Listed($values: [String!]) { quotes(symbols: $values) @skip(if: true) { symbol } }"
STEP = {"phaseIndex": 1}
ACTION = {"actionId": "a", "action": "OPEN", "symbol": "EURUSD"}
QUOTE = {"symbol": "EURUSD", "bid": "1.1", "ask": "1.1", "time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("text", "variables", "limit"),
    [
        (LISTED, {"values": ["a"] * 14_000}, None),
        (LISTED, {"values": ["a"] * 15_001}, "values"),
        (LISTED, {"values": None, "unused": [[]] * 16_000}, "values"),
        (STEPS, {"actions": {"steps": [STEP] * 251}}, "items"),
        (PARTS, {"actions": [STEP] * 251}, "items"),
        (BATCH, {"input": {"accountId": "1", "runId": "r", "actions": [ACTION] * 1_000}}, None),
        (BATCH, {"input": {"accountId": "1", "runId": "r", "actions": [ACTION] * 4_000}}, "values"),
        (HAND_IN, {"given": {"quotes": [QUOTE] * 5_000}}, None),
        (QUOTES, {"list": [QUOTE] * 5_000}, None),
    ],
)
async def test_the_values_of_variables_are_bounded_the_first_time_and_every_other(
    text: str, variables: dict[str, Any], limit: str | None
) -> None:
    context = Context(None, MANAGER)  # type: ignore[arg-type] # nothing is subscribed to
    few = {name: value if isinstance(value, dict) else (value or [])[:1] for name, value in variables.items()}
    for given in (variables, few, variables):
        result = await schema.execute(text, given, context)
        limits = {(error.extensions or {}).get("limit") for error in result.errors or ()} - {None}
        if given is variables:
            assert limits == ({limit} if limit else set())
