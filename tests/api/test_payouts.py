"""Payouts over the API: unmet criteria, decisions by role, and lists."""

from datetime import timedelta

from tests.api.clients import Api
from tests.services.winners import a_winner
from tests.services.world import settle

REQUEST = """mutation ($input: RequestPayoutInput!) { requestPayout(input: $input) {
  payout { id status profit amount client wallet { client } challenge { id } }
  eligibility { eligible nextAt criteria { condition met measured needed nextAt } }
  userErrors { code field message transient }
} }"""
APPROVE = """mutation ($input: ApprovePayoutInput!) { approvePayout(input: $input) {
  payout { id status decidedAt } userErrors { code } } }"""
REJECT = """mutation ($input: RejectPayoutInput!) { rejectPayout(input: $input) {
  payout { status reason } userErrors { code field } } }"""
CANCEL = (
    "mutation ($input: CancelPayoutInput!) { cancelPayout(input: $input) { payout { status } userErrors { code } } }"
)
WITHDRAW = """mutation ($input: WithdrawFromWalletInput!) { withdrawFromWallet(input: $input) {
  wallet { cash free } userErrors { code field } } }"""
CARD = """query ($id: ID!) { challenge(id: $id) { payoutEligibility { eligible nextAt criteria { condition met } }
  payouts { nodes { status } } phases { progress { rule done needed used } } } }"""
LISTS = """query ($paid: PayoutFilter, $moved: TransferFilter) {
  payouts(filter: $paid) { totalCount nodes { id status } }
  transfers(filter: $moved) { totalCount nodes { kind house amount walletId } }
}"""


async def test_a_client_asks_and_a_manager_decides(api: Api) -> None:
    world, challenge, account = await a_winner(api.database_url, payout={"cycle_days": 1})
    alice, mona = await api.token("CLIENT", "acme", "alice"), await api.token("MANAGER", "acme")
    asked = {"challengeId": str(challenge), "idempotencyKey": "p1"}

    card = (await api.ask(CARD, alice, id=str(challenge)))["challenge"]
    unmet = [one["condition"] for one in card["payoutEligibility"]["criteria"] if not one["met"]]
    assert (card["payoutEligibility"]["eligible"], unmet) == (False, ["CYCLE"])
    refused = (await api.ask(REQUEST, alice, input=asked))["requestPayout"]
    assert refused["payout"] is None
    assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
        ("PAYOUT_NOT_ELIGIBLE", "challengeId")
    ]
    boundary = "2026-03-03T00:00:00+00:00"
    assert refused["eligibility"]["nextAt"] == boundary
    assert refused["eligibility"]["criteria"][-1] == {
        "condition": "CYCLE", "met": False, "measured": "0", "needed": "1", "nextAt": boundary,
    }  # fmt: skip

    await world.quote("1.11", after=timedelta(days=1))
    made = (await api.ask(REQUEST, alice, input=asked))["requestPayout"]
    assert made["eligibility"] is None
    payout = made["payout"]
    assert (payout["status"], payout["profit"], payout["amount"]) == ("REQUESTED", "10000", "8000")
    assert (payout["client"], payout["wallet"]) == ("alice", {"client": "alice"})
    assert payout["challenge"] == {"id": str(challenge)}
    for decide in (APPROVE, REJECT):
        given = {"id": payout["id"], "idempotencyKey": "d1"} | ({"reason": "no"} if decide is REJECT else {})
        assert await api.code(decide, alice, input=given) == "FORBIDDEN"
    named = {"id": payout["id"], "idempotencyKey": "d1"}
    assert (await api.ask(APPROVE, mona, input=named))["approvePayout"]["payout"]["status"] == "APPROVED"
    again = await api.ask(REJECT, mona, input=named | {"reason": "too late"})
    assert [error["code"] for error in again["rejectPayout"]["userErrors"]] == ["INVALID_TRANSITION"]
    await settle()
    paid = {"status": ["PAID"], "client": "alice", "accountId": str(account), "createdFrom": boundary}
    moved = {"kind": ["PAYOUT_SHARE"], "money": "REAL", "client": "alice", "recordedFrom": boundary}
    lists = await api.ask(LISTS, mona, paid=paid, moved=moved)
    assert lists["payouts"] == {"totalCount": 1, "nodes": [{"id": payout["id"], "status": "PAID"}]}
    assert [(one["house"], one["amount"]) for one in lists["transfers"]["nodes"]] == [(None, "8000")]
    lists = await api.ask(LISTS, mona, paid={"createdBefore": boundary}, moved={"house": ["PAYOUT_HOLD"]})
    assert lists["payouts"]["totalCount"] == 0
    assert [one["amount"] for one in lists["transfers"]["nodes"]] == ["-10000", "10000"]

    gone = {"walletId": str(world.wallet), "amount": "9000", "idempotencyKey": "w1", "reason": "to the bank"}
    wallet = (await api.ask(WITHDRAW, mona, input=gone))["withdrawFromWallet"]["wallet"]
    assert wallet == {"cash": "500", "free": "500"}
    short = (await api.ask(WITHDRAW, mona, input=gone | {"idempotencyKey": "w2"}))["withdrawFromWallet"]
    assert short["userErrors"] == [{"code": "INSUFFICIENT_FUNDS", "field": "walletId"}]


async def test_a_client_takes_its_request_back_and_may_ask_again(api: Api) -> None:
    _, challenge, _ = await a_winner(api.database_url)
    alice, mona = await api.token("CLIENT", "acme", "alice"), await api.token("MANAGER", "acme")
    for n, (text, verb) in enumerate(((CANCEL, "cancelPayout"), (REJECT, "rejectPayout"))):
        asked = {"challengeId": str(challenge), "idempotencyKey": f"p{n}"}
        payout = (await api.ask(REQUEST, alice, input=asked))["requestPayout"]["payout"]["id"]
        given = {"id": payout, "idempotencyKey": f"d{n}"} | ({"reason": "hedging"} if verb == "rejectPayout" else {})
        done = (await api.ask(text, mona if n else alice, input=given))[verb]
        assert done["payout"]["status"] == ("REJECTED" if n else "CANCELLED")
        assert done["userErrors"] == []
    card = (await api.ask(CARD, alice, id=str(challenge)))["challenge"]
    assert card["payoutEligibility"]["eligible"]
    assert [one["status"] for one in card["payouts"]["nodes"]] == ["REJECTED", "CANCELLED"]
