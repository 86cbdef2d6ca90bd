"""All figures of one answer belong to the newest marked batch, and agree with each other."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from services import quotes
from services.columnar import passes
from tests.api.clients import Api
from tests.services.world import World, a_quote, a_world, act

METRIC = "{ batch balance equity dayLow dayHigh peakEquity }"
PHASE = f"{{ latestMetric {METRIC} progress {{ rule measured }} }}"
ACCOUNT = """{ cash equity unrealised highWatermark markedThrough
  snapshot { cash equity highWatermark markedThrough } }"""
ONE = f"""query ($challenge: ID!, $account: ID!) {{
  challenge(id: $challenge) {{
    latestMetric {METRIC} currentPhase {PHASE} days {{ balance equity low high }} account {ACCOUNT}
  }}
  account(id: $account) {ACCOUNT}
  context: account(id: $account) {{ decisionContext {{ snapshot {{ equity }} }} }}
}}"""
MANY = f"""{{
  challenges {{ nodes {{ latestMetric {METRIC} currentPhase {{ latestMetric {METRIC} }} account {{ equity }} }} }}
  accounts {{ nodes {{ equity unrealised markedThrough }} }}
}}"""
MIXED = f"{{ challenges {{ nodes {{ account {ACCOUNT} currentPhase {PHASE} days {{ equity }} }} }} }}"


async def a_trader(api: Api) -> tuple[World, str, dict[str, Any]]:
    """Return a world, a client's token, challenge and account; the account is long 100,000 EURUSD at 1.1."""
    world = await a_world(api.database_url)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000")
    await world.quote("1.1")
    return world, await api.token("CLIENT", "acme", "alice"), {"challenge": str(challenge), "account": str(account)}


def figures(found: Any, *names: str) -> list[Any]:
    """Return every value of these field names in an answer."""
    if isinstance(found, list):
        return [value for one in found for value in figures(one, *names)]
    if not isinstance(found, dict):
        return []
    here = [value for name, value in found.items() if name in names]
    return here + [value for one in found.values() for value in figures(one, *names)]


async def test_an_object_read_by_itself_is_of_the_newest_batch_in_every_field(api: Api) -> None:
    world, token, ids = await a_trader(api)
    await quotes.ingest([a_quote("EURUSD", "1.102", world.at + timedelta(seconds=1))])  # no marker has seen it
    answer = await api.ask(ONE, token, **ids)
    equities = figures(answer, "equity", "dayHigh", "high", "highWatermark", "peakEquity")
    assert {Decimal(value) for value in equities} == {Decimal(100_090)}, answer
    assert set(figures(answer, "batch", "markedThrough")) == {3}
    assert {Decimal(value) for value in figures(answer, "unrealised")} == {Decimal(200)}
    measured = {rule["rule"]: Decimal(rule["measured"]) for rule in answer["challenge"]["currentPhase"]["progress"]}
    assert measured["MAX_DAILY_LOSS"] == measured["MAX_TOTAL_LOSS"] == 100_090


async def test_a_list_is_of_the_newest_batch_as_soon_as_the_marker_idles(api: Api) -> None:
    world, token, _ = await a_trader(api)
    for second, mid in enumerate(("1.101", "1.102"), 1):  # within the interval in which marks are persisted
        await quotes.ingest([a_quote("EURUSD", mid, world.at + timedelta(seconds=second))])
        await passes.mark_shard(0)
    answer = await api.ask(MANY, token)
    assert {Decimal(value) for value in figures(answer, "equity")} == {Decimal(100_090)}, answer
    assert set(figures(answer, "batch", "markedThrough")) == {4}


async def test_a_list_with_what_is_computed_now_is_brought_there_too(api: Api) -> None:
    world, token, _ = await a_trader(api)
    await quotes.ingest([a_quote("EURUSD", "1.102", world.at + timedelta(seconds=1))])  # no marker has seen it
    for query in (f"{{ accounts {{ nodes {ACCOUNT} edges {{ node {ACCOUNT} }} }} }}", MIXED):
        answer = await api.ask(query, token)
        assert {Decimal(value) for value in figures(answer, "equity")} == {Decimal(100_090)}, answer


BESIDE = [
    "query ($account: ID!) { account(id: $account) { equity } accounts { nodes { equity } } }",
    """query ($account: ID!) { challenges { nodes { latestMetric { equity } days { equity } } }
      account(id: $account) { equity } }""",
    """query ($challenge: ID!) { accounts { nodes { equity challenge { latestMetric { equity } } } }
      challenge(id: $challenge) { latestMetric { equity } } }""",
    """query ($account: ID!) { previewDecisionActions(input: { accountId: $account, runId: "r9", actions: [null] }) {
      after { equity } } challenges { nodes { latestMetric { equity } account { equity } } } }""",
]


@pytest.mark.parametrize("query", BESIDE)
async def test_a_list_beside_an_object_read_by_itself_is_of_the_same_batch(api: Api, query: str) -> None:
    world, token, ids = await a_trader(api)
    await quotes.ingest([a_quote("EURUSD", "1.102", world.at + timedelta(seconds=1))])  # no marker has seen it
    given = {name: value for name, value in ids.items() if f"${name}" in query}
    for _ in range(2):  # the second time what the rows lead to is read with them
        answer = await api.ask(query, token, **given)
        assert {Decimal(value) for value in figures(answer, "equity")} == {Decimal(100_090)}, answer


async def test_a_subscriber_gets_the_newest_figures_and_all_of_one_batch(api: Api) -> None:
    world, token, ids = await a_trader(api)
    query = f"subscription ($account: ID!) {{ accountUpdates(accountId: $account) {ACCOUNT} }}"
    async with api.follow(token, query, account=ids["account"]) as follower:
        await follower.next()
        for second, mid in enumerate(("1.103", "1.104"), 1):
            await quotes.ingest([a_quote("EURUSD", mid, world.at + timedelta(seconds=second))])
            await passes.mark_shard(0)
            told = await follower.next()
            assert len(set(figures(told, "equity"))) == len(set(figures(told, "markedThrough"))) == 1, told
        assert Decimal(figures(told, "equity")[0]) == 100_290


async def test_what_ended_keeps_the_figures_of_its_end(api: Api) -> None:
    world, token, ids = await a_trader(api)
    await world.quote("1.0")
    before = await api.ask(ONE, token, **ids)
    await world.quote("1.2")
    after = await api.ask(ONE, token, **ids)
    for answer in (before, after):
        assert {Decimal(value) for value in figures(answer["account"], "equity")} == {Decimal(89790)}
        assert len(set(figures(answer["account"], "markedThrough"))) == 1
    assert after["challenge"]["latestMetric"] == before["challenge"]["latestMetric"]
