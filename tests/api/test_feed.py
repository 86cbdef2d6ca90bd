"""Suspect quotes over the API: saving the quote guard, the result of `ingestQuotes`, and who may read them."""

from datetime import timedelta
from typing import Any

from tests.api.clients import Api
from tests.services.world import START, a_world

SAVE = """mutation ($guard: QuoteGuardInput) { saveInstrument(input: {symbol: "EURUSD", guard: $guard}) {
  instrument { guard { mode movePct moveSeconds spreadPct frozenSeconds } }
  changes { field before after } userErrors { code field message } } }"""
INGEST = """mutation ($quotes: QuoteList!) { ingestQuotes(input: {quotes: $quotes}) {
  accepted dropped { reason } suspect { symbol finding held count } userErrors { code } } }"""
FEED = """subscription ($after: String) { feedEvents(after: $after) {
  cursor name symbol outcome finding count source quote { bid sourceTime } last { ask } } }"""
EVENTS = """subscription { challengeEvents(after: "0") { name } }"""
SYSTEM = "{ system { suspectQuotes { symbol bid finding source } droppedQuotes { reason count } } }"
HOLD = {"mode": "HOLD", "movePct": "5", "moveSeconds": 60, "spreadPct": "0", "frozenSeconds": 0}


def a_quote(bid: str, seconds: float) -> dict[str, str]:
    return {"symbol": "EURUSD", "bid": bid, "ask": bid, "time": (START + timedelta(seconds=seconds)).isoformat()}


async def test_a_guard_is_saved_and_read_and_its_faults_are_named(api: Api) -> None:
    await a_world(api.database_url)
    admin = await api.token("ADMIN")
    saved = (await api.ask(SAVE, admin, guard=HOLD))["saveInstrument"]
    assert saved["instrument"]["guard"] == HOLD
    assert {"field": "guard.mode", "before": "OFF", "after": "HOLD"} in saved["changes"]
    saved = (await api.ask(SAVE, admin, guard={"mode": "WARN", "movePct": None}))["saveInstrument"]
    assert saved["instrument"]["guard"] == HOLD | {"mode": "WARN"}
    [error] = (await api.ask(SAVE, admin, guard={"moveSeconds": 0}))["saveInstrument"]["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", "guard.moveSeconds")


async def test_what_is_suspect_is_answered_by_item_and_told_to_staff_of_every_brand_and_the_feed(api: Api) -> None:
    await a_world(api.database_url)
    admin, feed, manager = await api.token("ADMIN"), await api.token("FEED"), await api.token("MANAGER", "acme")
    await api.ask(SAVE, admin, guard=HOLD)

    async def hand_in(*quotes: dict[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = (await api.ask(INGEST, feed, quotes=list(quotes)))["ingestQuotes"]
        return answer

    taken = await hand_in(a_quote("1.1", 1), a_quote("11", 2))
    assert taken == {
        "accepted": 1,
        "dropped": [],
        "suspect": [{"symbol": "EURUSD", "finding": "MOVE", "held": True, "count": 1}],
        "userErrors": [],
    }
    [held] = (await api.ask(SYSTEM, admin))["system"]["suspectQuotes"]
    assert held == {"symbol": "EURUSD", "bid": "11", "finding": "MOVE", "source": "feed"}
    assert (await hand_in(a_quote("1.1001", 3)))["suspect"] == []
    assert (await api.ask(SYSTEM, admin))["system"] == {
        "suspectQuotes": [], "droppedQuotes": [{"reason": "SUSPECT", "count": 1}]
    }  # fmt: skip
    for token in (admin, feed, manager):
        async with api.follow(token, FEED, after="0") as follower:
            told = [(await follower.next())["feedEvents"] for _ in range(2)]
        assert [(one["name"], one["outcome"], one["finding"], one["count"]) for one in told] == [
            ("prop.feed.suspect", "HELD", "MOVE", 1),
            ("prop.feed.suspect", "DROPPED", "MOVE", 1),
        ]
        assert (told[0]["source"], told[0]["quote"]["bid"], told[0]["last"]["ask"]) == ("feed", "11", "1.1")
        async with api.follow(token, FEED, after=told[0]["cursor"]) as follower:
            assert (await follower.next())["feedEvents"] == told[1]
    metrics = (await api.http.get("/metrics")).text
    assert 'propdesk_suspect_quotes_total{finding="move",outcome="held"}' in metrics
    assert 'propdesk_dropped_quotes_total{reason="SUSPECT"} 1.0' in metrics


async def test_events_of_the_feed_do_not_come_among_those_of_challenges(api: Api) -> None:
    world = await a_world(api.database_url)
    admin, feed, manager = await api.token("ADMIN"), await api.token("FEED"), await api.token("MANAGER", "acme")
    client = await api.token("CLIENT", "acme", "alice")
    await api.ask(SAVE, admin, guard=HOLD)
    await api.ask(INGEST, feed, quotes=[a_quote("11", 2)])
    await world.buy()
    for token in (admin, manager):
        async with api.follow(token, EVENTS) as follower:
            [first] = await follower.events(1)
        assert first["name"] == "prop.purchase.paid"
    async with api.follow(client, FEED) as follower:
        assert "FORBIDDEN" in str(await follower.socket.recv())
