"""Quotes over the API: the newest of each symbol, and a symbol's history."""

from decimal import Decimal
from typing import Any

import pytest

from config.settings import settings
from domain.instruments import Instrument
from services import instruments, quotes, retention
from tests.api.clients import Api
from tests.services.world import ADMIN, START, World, a_quote, a_world, another_process

HISTORY = """query ($symbol: String!, $first: Int! = 20, $after: String, $filter: QuoteHistoryFilter) {
  quoteHistory(symbol: $symbol, first: $first, after: $after, filter: $filter) {
    totalCount nodes { symbol bid ask sourceTime batch } pageInfo { hasNextPage endCursor } } }"""
MIDS = ["1.10100", "1.10200", "1.10300", "1.10400"]


async def _a_market(api: Api) -> World:
    """EURUSD at 1.1 in batch 1 and at four mids after it, a minute apart; between them another symbol."""
    world = await a_world(api.database_url)
    await instruments.save_instrument(ADMIN, Instrument("XAUUSD", "XAU", "USD", 2, Decimal(1), Decimal(1)))
    for mid in MIDS:
        await world.quote(mid)
        await quotes.ingest([a_quote("XAUUSD", "2000", world.at)])
    return world


async def test_a_symbols_quotes_are_paged_from_the_newest_while_others_come(api: Api) -> None:
    world = await _a_market(api)
    token = await api.token("TRADER", "acme")
    found: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        page = (await api.ask(HISTORY, token, symbol="EURUSD", first=2, after=after))["quoteHistory"]
        found += page["nodes"]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        await world.quote("1.20000")
    assert {one["symbol"] for one in found} == {"EURUSD"}
    mids = [(Decimal(one["bid"]) + Decimal(one["ask"])) / 2 for one in found]
    assert mids == [Decimal(mid) for mid in (*reversed(MIDS), "1.10000")]
    assert found[-1]["batch"] == 1
    newest = (await api.ask('{ quotes(symbols: ["EURUSD"]) { bid batch } }', token))["quotes"]
    latest = (await api.ask(HISTORY, token, symbol="EURUSD", first=1))["quoteHistory"]["nodes"]
    assert newest == [{name: latest[0][name] for name in ("bid", "batch")}]


async def test_of_quotes_that_are_kept_no_longer_the_last_is_still_there(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _a_market(api)
    token = await api.token("ADMIN")
    page = (await api.ask(HISTORY, token, symbol="EURUSD", first=2))["quoteHistory"]
    async with another_process(api.database_url) as owner:
        await owner.execute("update batches set recorded_at = recorded_at - interval '2 days'")
    kept = settings().replace(quotes_keep_days=1)
    monkeypatch.setattr(retention, "settings", lambda: kept)
    await retention.delete_old_rows()
    [only] = (await api.ask(HISTORY, token, symbol="EURUSD"))["quoteHistory"]["nodes"]
    assert only == page["nodes"][0]
    after = page["pageInfo"]["endCursor"]
    assert (await api.ask(HISTORY, token, symbol="EURUSD", after=after))["quoteHistory"]["nodes"] == []
    told = (await api.ask("{ system { newestBatch forgotten { events quotes metrics } } }", token))["system"]
    assert told["forgotten"] == {"events": 0, "quotes": told["newestBatch"] - 1, "metrics": None}


async def test_a_time_narrows_it_and_what_is_not_there_is_empty(api: Api) -> None:
    world = await _a_market(api)
    token = await api.token("MANAGER", "acme")
    whole = (await api.ask(HISTORY, token, symbol="EURUSD"))["quoteHistory"]
    between = {"sourceFrom": whole["nodes"][3]["sourceTime"], "sourceBefore": world.at.isoformat()}
    narrowed = (await api.ask(HISTORY, token, symbol="EURUSD", filter=between))["quoteHistory"]
    assert (narrowed["totalCount"], narrowed["nodes"]) == (3, whole["nodes"][1:4])
    before_all = {"sourceBefore": START.isoformat()}
    for symbol, given in (("NONE", None), ("EURUSD", before_all)):
        empty = (await api.ask(HISTORY, token, symbol=symbol, filter=given))["quoteHistory"]
        assert (empty["totalCount"], empty["nodes"]) == (0, [])
    for first, symbol in ((1001, "EURUSD"), (0, "EURUSD"), (1, "\0")):
        assert await api.code(HISTORY, token, symbol=symbol, first=first) == "BAD_USER_INPUT"
    assert len((await api.ask(HISTORY, token, symbol="EURUSD", first=1000))["quoteHistory"]["nodes"]) == 5


async def test_a_void_quote_is_shown_as_one(api: Api) -> None:
    await _a_market(api)
    admin, client = await api.token("ADMIN"), await api.token("CLIENT", "acme", "alice")
    whole = (await api.ask(HISTORY, client, symbol="EURUSD"))["quoteHistory"]["nodes"]
    span = {"sourceFrom": whole[2]["sourceTime"], "sourceBefore": whole[1]["sourceTime"]}
    what = {"symbol": "EURUSD", "reason": "a bad print", **span}
    text = "mutation ($input: VoidQuotesInput!) { voidQuotes(input: $input) { userErrors { code } } }"
    assert (await api.ask(text, admin, input=what))["voidQuotes"]["userErrors"] == []
    shown = '{ quoteHistory(symbol: "EURUSD") { nodes { isVoid } } }'
    told = (await api.ask(shown, client))["quoteHistory"]["nodes"]
    assert [one["isVoid"] for one in told] == [False, False, True, False, False]
