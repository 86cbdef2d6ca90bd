"""The largest inputs: batches of actions, quotes, lists of values, and variables that fill the body."""

import json
import random
from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import httpx

from tests.abuse.desk import SUBMIT, Desk, Tally, together

NAME, BEARER = "the largest inputs", "ADMIN"
AT_ONCE = 8
BODY_BYTES = 1_000_000
INGEST = """mutation ($input: IngestQuotesInput!) { ingestQuotes(input: $input) {
  accepted dropped { count } userErrors { code } } }"""
LIST = "query ($values: [String!]) { quotes(symbols: $values) { symbol } }"


def _actions(desk: Desk, number: int) -> tuple[str, dict[str, Any]]:
    """Batches for as many accounts as one document may have."""
    named = [f"$i{place}: SubmitDecisionActionsInput!" for place in range(4)]
    fields = [f"a{place}: submitDecisionActions(input: $i{place}) {{ results {{ id code }} }}" for place in range(4)]
    proposed = [
        {"actionId": f"{number}-{place}", "action": "OPEN", "symbol": "EURUSD", "side": "LONG", "quantity": "1000",
         "stopLoss": "0.5", "takeProfit": "2", "reason": "x" * 200}
        for place in range(250)
    ]  # fmt: skip
    chosen = random.Random(number).sample(desk.accounts, 4)
    batches = {
        f"i{place}": {"accountId": account, "runId": "abuse", "actions": proposed}
        for place, account in enumerate(chosen)
    }
    return f"mutation ({', '.join(named)}) {{ {' '.join(fields)} }}", batches


def _unreadable(desk: Desk, _: int) -> tuple[str, dict[str, Any]]:
    """A body full of items that are no actions."""
    items = [1] * (BODY_BYTES // 3)
    return SUBMIT, {"input": {"accountId": desk.accounts[0], "runId": "abuse", "actions": items}}


def _quotes(_: Desk, number: int) -> tuple[str, dict[str, Any]]:
    quotes = [
        {"symbol": f"NONE{place % 900}", "bid": "1.1", "ask": "1.2", "time": f"2026-01-01T00:{number % 60:02}:00Z"}
        for place in range(5_000)
    ]
    return INGEST, {"input": {"quotes": quotes}}


def _steps(_: Desk, __: int) -> tuple[str, dict[str, Any]]:
    """A program of as many phases as the variables may hold."""
    step = {"phaseType": "EVALUATION", "name": "x", "accountGroup": "PROP_DEMO_USD", "durationDays": 30,
            "maxDailyLossPct": "5", "maxTotalLossPct": "10", "profitTargetPct": "8"}  # fmt: skip
    steps = [{"phaseIndex": number} | step for number in range(1, 1_600)]
    program = {"brand": "demo", "name": "x", "price": "1", "priceCurrency": "USD", "steps": steps}
    text = "query ($input: CreateProgramInput!) { validateProgram(input: $input) { __typename } }"
    return text, {"input": program}


def _values(_: Desk, __: int) -> tuple[str, dict[str, Any]]:
    return LIST, {"values": ["a"] * (BODY_BYTES // 5)}


def _lists(_: Desk, __: int) -> tuple[str, dict[str, Any]]:
    return "{ __typename }", {"unused": [[]] * (BODY_BYTES // 4)}


def _names(_: Desk, __: int) -> tuple[str, dict[str, Any]]:
    return "{ __typename }", {f"n{number}": 0 for number in range(BODY_BYTES // 14)}


KINDS: tuple[Callable[[Desk, int], tuple[str, dict[str, Any]]], ...] = (
    _actions, _unreadable, _quotes, _steps, _values, _lists, _names,
)  # fmt: skip


def bodies(desk: Desk) -> list[tuple[str, bytes]]:
    """One body of each kind, by its name."""
    asked = [(kind.__name__.strip("_"), *kind(desk, number)) for number, kind in enumerate(KINDS)]
    return [(name, json.dumps({"query": text, "variables": given}).encode()) for name, text, given in asked]


async def attack(desk: Desk, until: float) -> Tally:
    """Send one after the other, AT_ONCE at the same time."""
    numbers = count()
    turns = cycle(KINDS)

    async def ask() -> httpx.Response:
        text, variables = next(turns)(desk, next(numbers))
        return await desk.ask(BEARER, text, **variables)

    return await together(desk, ask, AT_ONCE, until)
