"""The desk under attack: its callers, its sample rows, and the answers and times that callers saw."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

ACCOUNTS = 100
TRADES = 250  # actions of a batch
OPEN, CLOSE = "OPEN", "CLOSE"
SUBMIT = """mutation ($input: SubmitDecisionActionsInput!) { submitDecisionActions(input: $input) {
  results { id status code } userErrors { code message } } }"""
TIMEOUT_SECONDS = 120.0


@dataclass(slots=True)
class Tally:
    """How many operations were answered, and with what: `ok`, a code, or a status."""

    answers: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{many} {name}" for name, many in self.answers.most_common(4))


@dataclass(slots=True)
class Desk:
    """A running desk, filled: accounts with histories of the sample brand."""

    port: int
    tokens: Mapping[str, str]  # by role
    process: int  # of the API
    seed: int
    http: httpx.AsyncClient
    ids: dict[str, str] = field(default_factory=dict)  # by root field
    accounts: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)  # within the limits, of large cost

    async def ask(self, role: str, query: str, **variables: Any) -> httpx.Response:
        """Ask as a role."""
        body = json.dumps({"query": query, "variables": variables})
        headers = {"Authorization": f"Bearer {self.tokens[role]}", "Content-Type": "application/json"}
        return await self.http.post("/graphql", content=body, headers=headers)

    async def data(self, role: str, query: str, **variables: Any) -> Any:
        """The data. Raises AssertionError for errors, and waits where the role asks too often."""
        while True:
            answer = (await self.ask(role, query, **variables)).json()
            codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
            if not codes & {"RATE_LIMITED", "BUSY"}:
                break
            await asyncio.sleep(0.2)
        assert not codes, answer
        return answer["data"]


async def together(desk: Desk, ask: Callable[[], Awaitable[httpx.Response]], many: int, until: float) -> Tally:
    """Ask so many at once, again and again until that time; who is told to wait waits a moment."""
    tally = Tally()

    async def go_on() -> None:
        while time.monotonic() < until:
            try:
                response = await ask()
            except httpx.HTTPError as error:
                tally.answers[type(error).__name__] += 1
                continue
            code = code_of(response)
            tally.answers[code] += 1
            tally.bytes += len(response.content)
            if code in ("RATE_LIMITED", "BUSY"):
                await asyncio.sleep(0.05)

    await asyncio.gather(*(go_on() for _ in range(many)))
    return tally


def code_of(response: httpx.Response) -> str:
    """`ok`, or the code of the first error; without reading a long answer whole."""
    head = response.content[:200]
    if head.startswith(b'{"data":{') or b'"errors"' not in head:
        return "ok" if response.status_code == 200 else str(response.status_code)
    error = response.json()["errors"][0]
    return str(error.get("extensions", {}).get("code", "none"))


async def fill(desk: Desk) -> None:
    """Give the desk accounts with histories, over the API, so that its books hold."""
    made = await asyncio.gather(*(_account(desk, number) for number in range(ACCOUNTS)))
    desk.accounts = list(made)
    for round_ in range(2):
        for account in desk.accounts[:10]:
            actions = [_action(round_, number) for number in range(TRADES)]
            given = {"accountId": account, "runId": f"fill-{round_}", "actions": actions}
            await desk.data("MANAGER", SUBMIT, input=given)
    desk.ids["account"] = desk.accounts[0]
    program = (await desk.data("MANAGER", "{ programs(first: 1) { nodes { id } } }"))["programs"]["nodes"][0]["id"]
    wallet = (await desk.data("CLIENT", "{ me { wallets { nodes { id } } } }"))["me"]["wallets"]["nodes"][0]["id"]
    buy = "mutation ($input: BuyChallengeInput!) { buyChallenge(input: $input) { challenge { id } } }"
    for number in range(3):
        given = {"programId": program, "walletId": wallet, "idempotencyKey": f"abuse-{number}"}
        bought = await desk.data("CLIENT", buy, input=given)
        desk.ids["challenge"] = bought["buyChallenge"]["challenge"]["id"]
    desk.ids |= {"program": program, "challengeMetrics": desk.ids["challenge"]}


async def _account(desk: Desk, number: int) -> str:
    create = "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { account { id } } }"
    start = "mutation ($input: StartAccountInput!) { startAccount(input: $input) { userErrors { code } } }"
    given = {"mode": "RACE", "group": "PROP_DEMO_USD", "idempotencyKey": f"abuse-{number}"}
    made = await desk.data("MANAGER", create, input=given)
    account: str = made["createAccount"]["account"]["id"]
    await desk.data("MANAGER", start, input={"accountId": account})
    return account


def _action(round_: int, number: int) -> dict[str, str]:
    verb = CLOSE if number % 2 else OPEN
    what = {"actionId": f"{round_}-{number}", "action": verb, "symbol": "EURUSD", "side": "LONG"}
    return what | ({"quantity": "1000"} if verb == OPEN else {})
