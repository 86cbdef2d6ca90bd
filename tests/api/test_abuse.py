"""Malicious input: every value in every field gets a refusal that names the fault."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from graphql import GraphQLArgument, GraphQLNonNull

from services.principals import Role
from tests.api.clients import Api, stamped
from tests.api.generated import Path, least, leaves, planted, root_field, roots
from tests.api.operations import INGEST
from tests.services.world import a_world, act, books_hold, rows, totals, value

UNSPEAKABLE = "\0\ud800"  # PostgreSQL holds neither
ENDLESS = "9" * 20_000
HOSTILE: dict[str, list[Any]] = {
    "String": [UNSPEAKABLE, ENDLESS],
    "ID": [UNSPEAKABLE, "9" * 19 + "-" + "9" * 19],
    "Decimal": ["99999999999999999999.99999999"],
    "Int": [2**31 - 1, -(2**31), 2**15],
    "Long": [2**53 - 1, 1 - 2**53],
    "DateTime": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"],
    "Date": ["0001-01-01", "9999-12-31"],
}
TEXTS = {"String", "ID"}
SECRET = {"bootstrapAdmin"}  # a wrong secret is forbidden, and one that is no text no input
BY_ITEM = {
    "quantity",
    "lots",
    "notional",
    "fraction",
    "price",
    "stopLoss",
    "takeProfit",
}  # an action's: it alone is rejected
FINE = {"accountGroup": "DEMO", "currency": "USD", "priceCurrency": "USD", "symbol": "EURUSD", "mode": "RACE",
        "brand": "acme"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attempt:
    """One field of one operation with a malicious value."""

    kind: str
    name: str
    path: Path
    type: str
    given: Any


def attempts(texts: bool) -> Iterator[Attempt]:
    """Yield a case for every text or number in every field of every query and mutation."""
    for kind in ("query", "mutation"):
        for name in roots()[kind]:
            for argument, one in root_field(kind, name).args.items():
                for path, scalar in leaves(one.type, (argument,)):
                    if (scalar in TEXTS) == texts and not ("actions" in path and path[-1] in BY_ITEM):
                        yield from (Attempt(kind, name, path, scalar, given) for given in HOSTILE.get(scalar, ()))


def _sound(found: Any, ids: dict[str, str]) -> Any:
    """Return the smallest input, with existing ids and names, so that it passes the first checks."""
    if isinstance(found, list):
        return [_sound(one, ids) for one in found]
    if not isinstance(found, dict):
        return found
    return {name: (FINE | ids).get(name) or _sound(one, ids) for name, one in found.items()}


class Desk:
    """A sold challenge, and tokens that send malicious input."""

    def __init__(self, api: Api, tokens: dict[str, str], ids: dict[str, str]) -> None:
        self.api, self.tokens, self.ids, self.keys = api, tokens, ids, count()

    async def codes(self, attempt: Attempt) -> set[str]:
        """Return the codes of the top-level errors."""
        arguments: dict[str, GraphQLArgument] = root_field(attempt.kind, attempt.name).args
        needed = {arg: one for arg, one in arguments.items() if isinstance(one.type, GraphQLNonNull)}
        ids = self.ids | {"idempotencyKey": f"k{next(self.keys)}"}
        given = {arg: _sound(least(one.type), ids) for arg, one in needed.items()}
        argument, *rest = attempt.path
        assert isinstance(argument, str)
        given[argument] = planted(arguments[argument].type, given.get(argument), tuple(rest), attempt.given)
        declared = ", ".join(f"${arg}: {arguments[arg].type}" for arg in given)
        passed = ", ".join(f"{arg}: ${arg}" for arg in given)
        text = f"{attempt.kind} ({declared}) {{ {attempt.name}({passed}) {{ __typename }} }}"
        role = "CLIENT" if attempt.name == "buyChallenge" else "ADMIN" if "brand" in attempt.path else "MANAGER"
        if attempt.name in ("saveBrand", "saveCurrency", "saveInstrument", "ingestQuotes", "voidQuotes"):
            role = "ADMIN"
        answer = await self.api.answer(text, self.tokens[role], **given)
        return {error["extensions"]["code"] for error in answer.get("errors", ())}


async def a_desk(api: Api) -> Desk:
    world = await a_world(api.database_url, cash=20_000)
    challenge, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="2000")
    await act(account, "OPEN", action_id="a2", side="SHORT", quantity="2000", order="LIMIT", price="1.5")
    order = await value("select account_id || '-' || seq from orders where status = 'WORKING'")
    ids = {"accountId": str(account), "parentId": str(account), "programId": str(world.program),
           "walletId": str(world.wallet), "challengeId": str(challenge), "orderId": order, "id": "1"}  # fmt: skip
    tokens = {"ADMIN": await api.token(Role.ADMIN), "MANAGER": await api.token(Role.MANAGER, "acme"),
              "CLIENT": await api.token(Role.CLIENT, "acme", "alice")}  # fmt: skip
    return Desk(api, tokens, ids)


async def test_no_field_takes_text_that_cannot_be_kept_and_nothing_is_written(api: Api) -> None:
    desk, tried = await a_desk(api), 0
    await stamped()
    before = await totals()
    for attempt in attempts(texts=True):
        expected = {"BAD_USER_INPUT", "FORBIDDEN" if attempt.name in SECRET else "NOT_FOUND"}
        assert await desk.codes(attempt) <= expected, attempt
        tried += 1
    assert tried > 200
    assert await totals() == before


async def test_no_number_or_instant_breaks_anything(api: Api) -> None:
    desk, tried = await a_desk(api), 0
    for attempt in attempts(texts=False):
        assert await desk.codes(attempt) <= {"BAD_USER_INPUT", "NOT_FOUND"}, attempt
        tried += 1
    assert tried > 60
    await books_hold()


LOOKALIKES = ["\N{CYRILLIC CAPITAL LETTER IE}URUSD", "EURUSD\u200b", "EURUSD ", "eurusd", "EUR/USD", "A" * 33]
NO_PRICES = ["NaN", "sNaN", "Infinity", "1e400", "9" * 65, f"1.{'1' * 40}", "-1", "0", "", "1_1", " 1.1",
             "\N{ARABIC-INDIC DIGIT ONE}", "1,1"]  # fmt: skip


async def test_no_quote_is_taken_for_another_symbol_or_another_price(api: Api) -> None:
    await a_world(api.database_url)
    admin = await api.token(Role.ADMIN)
    named = {"symbol": "A" * 32, "baseCurrency": "EUR", "quoteCurrency": "USD", "pricePrecision": 5}
    listed = "mutation ($input: SaveInstrumentInput!) { saveInstrument(input: $input) { userErrors { code } } }"
    saved = await api.ask(listed, admin, input=named | {"quantityStep": "1", "quantityMin": "1"})
    assert saved == {"saveInstrument": {"userErrors": []}}
    quote = {"symbol": "EURUSD", "bid": "1.1", "ask": "1.1", "time": "2026-03-02T12:01:00Z"}
    offered = [quote | {"symbol": symbol} for symbol in LOOKALIKES]
    offered += [quote | {"bid": price, "ask": price} for price in NO_PRICES]
    answer = (await api.ask(INGEST, admin, input=json.loads(json.dumps({"quotes": offered}))))["ingestQuotes"]
    assert (answer["accepted"], answer["batches"]) == (0, [])
    assert sum(dropped["count"] for dropped in answer["dropped"]) == len(offered)
    assert {dropped["reason"] for dropped in answer["dropped"] if dropped["symbol"] != "EURUSD"} == {"UNKNOWN_SYMBOL"}
    assert await rows("select symbol from latest_quotes") == [{"symbol": "EURUSD"}]
