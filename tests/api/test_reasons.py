"""Reasons of manual decisions: the internal text is for the audit only, the public one for client and trader."""

import json
from datetime import timedelta
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type

from config.database import connection
from domain.errors import InvalidInput
from domain.ledger import Facts, Kind
from domain.lifecycles import ChallengeStatus
from domain.reasons import BY_HAND, INTERNAL_KINDS, PURCHASE_FAILED, TEXTS, shown_facts
from services import admin, challenges, events, orders, payouts, purchases
from services.principals import Role
from services.unit_of_work.openings import root_transaction, transaction
from services.unit_of_work.roots import LockRoot
from tests.api.clients import Api
from tests.api.generated import GRAPHQL, everything, root_field
from tests.services.bad_prints import a_victim, bad_print, status, void
from tests.services.winners import a_winner
from tests.services.world import CLIENT, MANAGER, TRADER, World, act, books_hold, plant_a_breach, settle, value

# A client reads nothing of these; what `recomputeAccount` found there was nothing to correct.
UNSHOWN = {"deletePurchase", "withdrawFromWallet", "recomputeAccount", "releaseQuarantine"}
OF_BAD_PRINTS = {"voidQuotes", "reinstateChallenge", "reinstateChallenges"}
OUTSIDERS = [(Role.CLIENT, "alice"), (Role.TRADER, None)]
DEEP = """{
  accounts(first: 100) { nodes {
    ledger(first: 1000) { nodes { kind facts } }
    orders(first: 100) { nodes { reason outcome history { outcome } } }
    decisionActions(first: 100) { nodes { message order { outcome } } }
    decisionContext { recentActions { order { outcome } } }
    challenge { endReason phases { endReason } latestBreach { derivation }
      breaches(first: 100) { nodes { derivation } } events(first: 1000) { nodes { name payload } } } } }
  %s
}"""
OF_SALES = "purchases(first: 100) { nodes { failureReason } } payouts(first: 100) { nodes { reason } } %s"
TRANSFERS = "transfers(first: 100) { nodes { cause } }"


class Firm:
    """A sender of manual decisions, each with its own reasons."""

    def __init__(self, api: Api, token: str) -> None:
        self._api, self._token = api, token
        self.done: dict[str, str] = {}

    async def do(self, mutation: str, **given: Any) -> None:
        """Send the mutation with an internal and, if it takes one, a public reason; it succeeds."""
        kind = get_named_type(root_field("mutation", mutation).args["input"].type)
        assert isinstance(kind, GraphQLInputObjectType)
        shown = {"shownReason": f"Shown by {mutation}."} if "shownReason" in kind.fields else {}
        given |= {"reason": f"INTERNAL {mutation}", **shown}
        text = f"mutation ($input: {kind}!) {{ it: {mutation}(input: $input) {{ userErrors {{ code message }} }} }}"
        answer = (await self._api.ask(text, self._token, input=given))["it"]
        assert answer == {"userErrors": []}, (mutation, answer)
        self.done[mutation] = given["reason"]
        await settle()


def with_a_reason() -> set[str]:
    """Return every mutation that takes a reason."""
    mutation = GRAPHQL.mutation_type
    assert mutation
    kinds = {
        name: get_named_type(field.args["input"].type)
        for name, field in mutation.fields.items()
        if "input" in field.args
    }
    return {
        name for name, kind in kinds.items() if isinstance(kind, GraphQLInputObjectType) and "reason" in kind.fields
    }


async def read(api: Api, role: Role, subject: str | None) -> str:
    """Return the role's answers to all fields to some depth, reasons included."""
    token = await api.token(role, "acme", subject)
    of_sales = "" if role is Role.TRADER else OF_SALES % TRANSFERS
    texts = [json.dumps(await api.ask(DEEP % of_sales, token))]
    for name in ("accounts", "challenges", "challengeCounters", *(() if role is Role.TRADER else ("purchases", "me"))):
        selection = everything(root_field("query", name).type, 1, role)
        texts.append(json.dumps(await api.ask(f"{{ {name} {selection} }}", token)))
    await events.stamp()
    hidden = "prop.p%" if role is Role.TRADER else ""
    many = await value("select count(*) from events where name not like $1", hidden)
    async with api.follow(token, 'subscription { challengeEvents(after: "0") { name payload } }') as follower:
        texts.append(json.dumps(await follower.events(many)))
    return "\n".join(texts)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKENS", "COST", "ALIASES", "CHARACTERS"):
        monkeypatch.setenv(f"PROPDESK_DOCUMENT_{name}_MAX", "100000000")


async def _on_an_account(firm: Firm, world: World, account: int) -> None:
    for mutation in ("pauseAccount", "resumeAccount", "lockAccount", "unlockAccount"):
        await firm.do(mutation, accountId=str(account))
    await act(account, "OPEN", action_id="v1", quantity="1000")
    await act(account, "CLOSE", action_id="v2")
    filled = await value(
        "select account_id || '-' || max(seq) from orders where account_id = $1 group by account_id", account
    )
    await firm.do("voidOrder", orderIds=[filled])
    fill = await value("select account_id || '-' || max(seq) from fills where account_id = $1 and status = 'BOOKED' "
                       "and order_seq = (select max(seq) from orders where account_id = $1 and status = 'FILLED') "
                       "group by account_id", account)  # fmt: skip
    await firm.do("voidFill", fillIds=[fill])
    await firm.do("recomputeAccount", accountId=str(account), apply=True)
    rests = await act(account, "OPEN", action_id="v3", side="SHORT", order="LIMIT", price="1.5", quantity="1000")
    await firm.do("cancelOrder", orderId=f"{account}-{rests.order.seq if rests.order else None}")
    await value("insert into quarantine (account_id, seq, error, message) values ($1, 1, 'ValueError', '')", account)
    await firm.do("releaseQuarantine", accountId=str(account))
    amount = {"amount": "5000", "countsAsProfit": True, "idempotencyKey": "a"}
    await firm.do("adjustAccount", accountId=str(account), **amount)


async def test_what_the_firm_knows_is_the_audit_s_and_what_it_shows_reaches_client_and_trader(api: Api) -> None:
    world, challenge, account = await a_winner(api.database_url)
    firm = Firm(api, await api.token(Role.MANAGER, "acme"))
    for mutation, key in (("rejectPayout", "p1"), ("cancelPayout", "p2")):
        payout = await payouts.request_payout(CLIENT, challenge, key)
        await firm.do(mutation, id=str(payout), idempotencyKey=key)
    await _on_an_account(firm, world, account)
    await firm.do("liquidateAccount", accountId=str(account))
    for place, (mutation, key) in enumerate((("cancelChallenge", "k2"), ("refundPurchase", "k3"))):
        other, _ = await world.buy(key)
        one = {"id": other} if not place else {"id": await _purchase(other), "idempotencyKey": "r"}
        await firm.do(mutation, **{name: str(found) for name, found in one.items()})
    unpaid, _ = await purchases.buy(CLIENT, world.program, world.wallet, "k4")
    await firm.do("updatePurchase", id=str(unpaid), status="FAILED")
    query = "{ purchases { nodes { failureReason } } }"
    told = await api.ask(query, await api.token(Role.CLIENT, "acme", "alice"))
    assert told["purchases"]["nodes"][0] == {"failureReason": "Shown by updatePurchase."}
    await firm.do("deletePurchase", id=str(unpaid))
    await firm.do("withdrawFromWallet", walletId=str(world.wallet), amount="1", idempotencyKey="INTERNAL w")
    await world.buy("k5")
    seen = {role: await read(api, role, subject) for role, subject in OUTSIDERS}
    await firm.do("deleteProgram", id=str(world.program))
    assert firm.done.keys() | OF_BAD_PRINTS == with_a_reason()
    log = json.dumps(await api.ask("{ auditLog(first: 1000) { nodes { reason } } }", await api.token(Role.ADMIN)))
    assert not [reason for reason in firm.done.values() if reason not in log]
    after = {role: await read(api, role, subject) for role, subject in OUTSIDERS}
    for text in (*seen.values(), *after.values()):
        assert "INTERNAL" not in text, text[text.index("INTERNAL") - 200 :][:300]
    shown = firm.done.keys() - UNSHOWN
    assert {name for name in shown if f"Shown by {name}." in seen[Role.CLIENT]} == shown - {"deleteProgram"}
    of_money = {"rejectPayout", "cancelPayout"}
    assert {name for name in shown if f"Shown by {name}." in seen[Role.TRADER]} == shown - {"deleteProgram"} - of_money
    assert all("Shown by deleteProgram." in text for text in after.values())
    await books_hold()


async def _purchase(challenge: int) -> int:
    found: int = await value("select purchase_id from challenges where id = $1", challenge)
    return found


async def test_of_a_verdict_that_is_set_aside_the_client_reads_what_is_shown(api: Api) -> None:
    world, challenge, _, span, _ = await a_victim(api.database_url)
    of = {"symbol": span.symbol, "sourceFrom": span.source_from.isoformat()}
    of |= {"sourceBefore": span.source_before.isoformat()}
    await Firm(api, await api.token(Role.ADMIN)).do("voidQuotes", **of)
    firm = Firm(api, await api.token(Role.MANAGER, "acme"))
    await firm.do("reinstateChallenge", id=str(challenge), apply=True, idempotencyKey="k1")
    again, account = await world.buy("k2")
    await act(account, "OPEN", action_id="b1", quantity="100000")
    other = await bad_print(world)
    await world.quote("1.10600", after=timedelta(0))
    await void(other)
    of |= {"sourceFrom": other.source_from.isoformat(), "sourceBefore": other.source_before.isoformat()}
    await firm.do("reinstateChallenges", idempotencyKey="k2", **of)
    assert await status(again) is ChallengeStatus.ACTIVE
    for role, subject in OUTSIDERS:
        text = await read(api, role, subject)
        assert "INTERNAL" not in text, text[text.index("INTERNAL") - 200 :][:300]
        assert all(f"Shown by {name}." in text for name in firm.done)
        assert "manager:" not in text, "who did it is the firm's"


async def test_without_a_text_to_be_shown_a_neutral_one_is(api: Api) -> None:
    _, challenge, account = await a_winner(api.database_url)
    await admin.lock(MANAGER, account, "INTERNAL")
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.reject_payout(MANAGER, payout, "INTERNAL", "p1")
    await challenges.cancel_challenge(MANAGER, challenge, "INTERNAL")
    await events.stamp()
    alice = await api.token(Role.CLIENT, "acme", "alice")
    facts = await api.ask(
        'query ($id: ID!) { account(id: $id) { ledger(filter: {kind: ["account_locked"]}) { nodes { facts } } } '
        "payouts { nodes { reason } } challenges { nodes { events(first: 1) { nodes { payload } } } } }",
        alice,
        id=str(account),
    )
    assert facts["account"]["ledger"]["nodes"][-1]["facts"] == {"reason": BY_HAND, "shown": TEXTS[BY_HAND]}
    assert facts["payouts"]["nodes"] == [{"reason": TEXTS["PAYOUT_REJECTED"]}]
    (event,) = facts["challenges"]["nodes"][0]["events"]["nodes"]
    assert event["payload"]["reason"] == TEXTS["CANCELLED"]
    with pytest.raises(InvalidInput, match="shownReason"):
        await admin.unlock(MANAGER, account, "because", "")


async def test_a_client_s_and_a_trader_s_own_words_are_kept_as_they_are(api: Api) -> None:
    _, challenge, account = await a_winner(api.database_url)
    rests = await act(account, "OPEN", action_id="v3", side="SHORT", order="LIMIT", price="1.5", quantity="1000")
    assert rests.order
    await orders.cancel_order(TRADER, account, rests.order.seq, "thought better of it")
    payout = await payouts.request_payout(CLIENT, challenge, "p1")
    await payouts.cancel_payout(CLIENT, payout, "p1", "too early")
    seen = {role: await read(api, role, subject) for role, subject in OUTSIDERS}
    assert all("thought better of it" in text for text in seen.values())
    assert "too early" in seen[Role.CLIENT]


async def test_reasons_of_the_first_edition_are_shown_to_staff_alone(api: Api) -> None:
    _, challenge, account = await a_winner(api.database_url)
    rests = await act(account, "OPEN", action_id="v3", side="SHORT", order="LIMIT", price="1.5", quantity="1000")
    assert rests.order
    await orders.cancel_order(TRADER, account, rests.order.seq)
    old = [(kind, {"reason": "INTERNAL", "seen": kind.value}) for kind in INTERNAL_KINDS - {Kind.MARK_FAILED}]
    async with root_transaction(LockRoot.of_challenge(challenge)) as work:
        held = work.locked_account(account)
        for kind, facts in [*old, (Kind.MARK_FAILED, {"error": "INTERNAL", "message": "INTERNAL"})]:
            held.account = work.journal.append(held.account, kind, work.now, work.batch, facts)
    await plant_a_breach(api.database_url, challenge)
    async with connection(api.database_url) as conn:
        await conn.execute("""update orders set outcome = '{"reason": "INTERNAL"}' where status = 'CANCELLED'""")
        await conn.execute("alter table breaches disable trigger user")
        await conn.execute("""update breaches set derivation = '{"by_hand": true, "reason": "INTERNAL"}'""")
        await conn.execute("update purchases set failure_reason = 'INTERNAL'")
    async with transaction() as work:
        payload: Facts = {"purchase": 1, "account": account, "reason": "INTERNAL"}
        work.emit(PURCHASE_FAILED, brand="acme", challenge_id=challenge, payload=payload)
    for role, subject in OUTSIDERS:
        text = await read(api, role, subject)
        assert "INTERNAL" not in text, (role, text[text.index("INTERNAL") - 200 :][:300])
        assert all(kind.value in text for kind in INTERNAL_KINDS)
        assert '"outcome": {"reason": "REQUESTED"}' in text
    assert (await read(api, Role.MANAGER, None)).count("INTERNAL") > len(INTERNAL_KINDS)


def test_a_code_stays_and_a_text_becomes_the_code() -> None:
    assert shown_facts({"reason": "REPLACED", "order": 7}, BY_HAND) == {"reason": "REPLACED", "order": 7}
    assert shown_facts({"reason": "a note", "order": 7}, BY_HAND) == {"reason": BY_HAND, "order": 7}
    told = {"reason": BY_HAND, "shown": "a text"}
    assert shown_facts(told, BY_HAND) == told
    assert shown_facts({"code": "PRICE_STALE"}, BY_HAND) == {"code": "PRICE_STALE"}
