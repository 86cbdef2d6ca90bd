"""An account's snapshot, decision context and histories over the API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from services import quotes
from tests.api.clients import Api
from tests.services.world import START, a_quote, a_world, act, settle

READS = """query ($id: ID!, $symbols: [String!]) { account(id: $id) {
  equity
  snapshot { marketTime markedThrough seq chainHead equity unrealised leverageUsed marginUsed marginFree
    exposure { gross net long short }
    positions { id symbol side quantity averageEntry mark unrealised notional quoteAgeSeconds stale } }
  decisionContext(symbols: $symbols) {
    status readOnly blockedUntil phaseIndex phaseStatus sides
    permissions { verb allowed refusal { code } }
    gates { code unit limit taken headroom }
    instruments { symbol bid stale largest { side verb quantity notional refusal { code limit observed } } }
    rules { rule level headroom used }
    day { number date endsAt traded }
    orders { id type price }
    recentActions { actionId status code order { status } fill { price } account { id } }
    nextAccount { id } }
} }"""
HISTORIES = """query ($id: ID!, $kind: [String!]) { account(id: $id) {
  ledger(first: 3, filter: { kind: $kind }, orderBy: OLDEST_FIRST) { nodes { seq kind } totalCount }
  orders(filter: { type: [STOP_LOSS], status: [WORKING, CANCELLED], side: LONG }) { nodes { type status price } }
  fills(filter: { verb: [OPEN], status: [BOOKED], filledBefore: "2026-03-02T12:00:01Z" }) { nodes { verb } }
  positions(filter: { status: [OPEN], openedFrom: "2026-03-02T12:00:00Z" }, orderBy: OLDEST_FIRST) { nodes { side } }
  decisionActions(filter: { runId: "r1", actionId: "a2" }) { nodes { actionId code reference } totalCount }
} }"""


async def a_trader(api: Api) -> tuple[str, str]:
    """Return a client's token and account: a protected long, a refused action, and an unmarked quote."""
    world = await a_world(api.database_url)
    _, account = await world.buy()
    await act(account, "OPEN", action_id="a1", quantity="100000", stop_loss="1.05000")
    await act(account, "HOLD", action_id="a2", quantity="1")
    await settle()
    await quotes.ingest([a_quote("EURUSD", "1.10300", START + timedelta(minutes=1))])
    return await api.token("CLIENT", "acme", "alice"), str(account)


async def test_an_account_shows_how_it_stands_and_what_it_may_do(api: Api) -> None:
    token, account = await a_trader(api)
    found = (await api.ask(READS, token, id=account, symbols=["EURUSD", "NOSUCH"]))["account"]
    now, may = found["snapshot"], found["decisionContext"]
    assert (now["markedThrough"], now["marketTime"]) == (2, "2026-03-02T12:01:00+00:00")
    assert Decimal(now["equity"]) == Decimal(found["equity"])
    assert Decimal(now["unrealised"]) == 300
    assert now["exposure"] == {"gross": "110300", "net": "110300", "long": "110300", "short": "0"}
    [position] = now["positions"]
    assert (position["averageEntry"], position["mark"], position["stale"]) == ("1.1", "1.103", False)
    _check_context(may, account)


def _check_context(may: dict[str, Any], account: str) -> None:
    assert (may["status"], may["phaseIndex"], may["phaseStatus"], may["nextAccount"]) == ("ACTIVE", 1, "ACTIVE", None)
    assert all(one["allowed"] and one["refusal"] is None for one in may["permissions"])
    assert {one["code"]: one["unit"] for one in may["gates"]}["POSITIONS_MAX"] == "COUNT"
    [euro, none] = may["instruments"]
    assert [(one["side"], one["verb"]) for one in euro["largest"]] == [("LONG", "INCREASE"), ("SHORT", "OPEN")]
    assert (none["bid"], none["largest"][0]["refusal"]["code"]) == (None, "ASSET_NOT_ALLOWED")
    assert [one["rule"] for one in may["rules"]][:2] == ["MAX_DAILY_LOSS", "MAX_TOTAL_LOSS"]
    assert may["day"] == {"number": 1, "date": "2026-03-02", "endsAt": "2026-03-03T00:00:00+00:00", "traded": True}
    assert [(one["type"], one["price"]) for one in may["orders"]] == [("STOP_LOSS", "1.05")]
    refused, executed = may["recentActions"]
    assert (refused["actionId"], refused["code"], refused["order"]) == ("a2", "UNSUPPORTED_ACTION", None)
    assert (executed["order"], executed["fill"]) == ({"status": "FILLED"}, {"price": "1.1"})
    assert executed["account"] == {"id": account}


async def test_histories_are_filtered_and_ordered(api: Api) -> None:
    token, account = await a_trader(api)
    found = (await api.ask(HISTORIES, token, id=account, kind=["fill", "deposit"]))["account"]
    assert found == {
        "ledger": {"nodes": [{"seq": 2, "kind": "deposit"}, {"seq": 6, "kind": "fill"}], "totalCount": 2},
        "orders": {"nodes": [{"type": "STOP_LOSS", "status": "WORKING", "price": "1.05"}]},
        "fills": {"nodes": [{"verb": "OPEN"}]},
        "positions": {"nodes": [{"side": "LONG"}]},
        "decisionActions": {
            "nodes": [{"actionId": "a2", "code": "UNSUPPORTED_ACTION", "reference": None}],
            "totalCount": 1,
        },
    }


async def test_what_cannot_be_asked_for_is_refused_by_name(api: Api) -> None:
    token, account = await a_trader(api)
    answer = await api.answer(HISTORIES, token, id=account, kind=["fil"])
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "'fil'" in answer["errors"][0]["message"]
    for symbols in (["EURUSD"] * 101, ["\0"]):
        assert await api.code(READS, token, id=account, symbols=symbols) == "BAD_USER_INPUT"
