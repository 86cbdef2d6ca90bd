"""The audit: each mutation of a manager or an admin writes one row, those of other roles write none."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from resolvers.main import Mutation
from schema.engine.permissions import roles_of
from schema.engine.strawberry_internals import class_definition
from services import brands
from services.principals import Role
from tests.api.clients import PATIENCE_SECONDS, Api, send
from tests.api.generated import GRAPHQL
from tests.services.bad_prints import bad_print
from tests.services.world import (
    ADMIN,
    FUNDED,
    WIDE,
    World,
    a_world,
    act,
    books_hold,
    rows,
    settle,
    value,
)

STAFF = {Role.ADMIN, Role.MANAGER}
MAKING = {  # what they change was not there before, or need not differ
    "voidQuotes", "createAccount", "createApiToken", "createProgram", "depositToWallet", "markAllToMarket",
    "recomputeAccount", "requestPayout", "saveAccountGroup", "saveBrand", "saveCurrency", "saveInstrument",
    "withdrawFromWallet",
}  # fmt: skip
NAMED = [("sane", True), ("a-1.b:2_c", True), ("", False), ("x" * 101, False), ("two words", False), ("-x", False)]


def mutation(name: str) -> str:
    """Return its text; it selects only the user errors."""
    assert GRAPHQL.mutation_type
    given = GRAPHQL.mutation_type.fields[name].args.get("input")
    if given is None:
        return f"mutation {{ {name} {{ userErrors {{ code field message }} }} }}"
    return f"mutation ($input: {given.type}) {{ {name}(input: $input) {{ userErrors {{ code field message }} }} }}"


@dataclass
class Desk:
    """A desk with a token for each role, and the audited mutations so far."""

    api: Api
    world: World
    tokens: dict[Role, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    async def ask(self, name: str, role: Role, /, **given: Any) -> str:
        """Send a mutation that succeeds; return its request id."""
        request = str(uuid.uuid4())
        if role not in self.tokens:
            brand = None if role in (Role.ADMIN, Role.FEED) else "acme"
            self.tokens[role] = await self.api.token(role, brand, "alice" if role is Role.CLIENT else None)
        headers = {"Authorization": f"Bearer {self.tokens[role]}", "X-Request-Id": request}
        body = {"query": mutation(name), "variables": {"input": given} if given else {}}
        response = await self.api.http.post("/graphql", json=body, headers=headers)
        assert response.headers["X-Request-Id"] == request
        answer = response.json()
        assert "errors" not in answer, (name, answer)
        assert answer["data"][name] == {"userErrors": []}, name
        return request

    async def does(self, name: str, role: Role = Role.MANAGER, /, **given: Any) -> str:
        """Send a mutation of a manager or an admin, check its one audit row, and return the row's object."""
        earlier: list[int] = await value("select array_agg(id) from audit")
        request = await self.ask(name, role, **given)
        found = await rows("select *, before::text as was, after::text as is from audit where id <> all($1)", earlier)
        assert len(found) == 1, (name, found)
        [row] = found
        told = (row["operation"], row["actor"], row["role"], row["request_id"], row["reason"])
        assert told == (name, f"{role.lower()}:{role.lower()}", role, request, given.get("reason", ""))
        was, now = json.loads(row["was"]), json.loads(row["is"])
        assert was or name in MAKING, (name, row)
        assert now or name.startswith("delete"), (name, row)
        assert was != now
        assert row["object_kind"] and row["object_id"]
        self.done.add(name)
        object_id: str = row["object_id"]
        return object_id


def in_order() -> list[Callable[[Desk], Awaitable[None]]]:
    return [catalogue, programs, money, sales, accounts, trading, payouts, verdicts, operations]


async def test_every_mutation_of_a_manager_or_an_admin_leaves_one_row(api: Api) -> None:
    funded = replace(FUNDED, phase_index=1, duration_days=0)
    policy = WIDE | {"fee_bps": Decimal(0)}
    desk = Desk(api, await a_world(api.database_url, steps=[funded], policy=policy, cash=20_000))
    for part in in_order():
        await part(desk)
    root: Any = Mutation
    staffs = [one.name for one in class_definition(root).fields if (roles_of(one) or set()) & STAFF]
    by_secret = {"bootstrapAdmin"}  # its row: test_production.py
    assert {_camel(name) for name in staffs} - by_secret == desk.done, "each has its case here"
    await settle()
    await books_hold()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


async def catalogue(desk: Desk) -> None:
    await desk.does("saveBrand", Role.ADMIN, name="second", title="Second")
    await desk.does("saveCurrency", Role.ADMIN, code="SEK", minorUnits=2)
    instrument = {"symbol": "AUDUSD", "baseCurrency": "AUD", "quoteCurrency": "USD", "pricePrecision": 5}
    await desk.does("saveInstrument", Role.ADMIN, **instrument, quantityStep="1", quantityMin="1000")
    await desk.does("saveAccountGroup", name="MINI", kind="DEMO", currency="USD", defaultDeposit="5000")
    token = await desk.does("createApiToken", role="TRADER", name="bot")
    await desk.does("revokeApiToken", id=token)


async def programs(desk: Desk) -> None:
    step = {"phaseIndex": 1, "phaseType": "EVALUATION", "name": "One", "accountGroup": "MINI", "profitTargetPct": "8"}
    program = await desk.does("createProgram", name="New", price="0", priceCurrency="USD", steps=[step])
    await desk.does("updateProgram", id=program, expectedVersion=1, name="Newer")
    await desk.does("deleteProgram", id=program, reason="nobody wants it")


async def money(desk: Desk) -> None:
    wallet = await desk.does("depositToWallet", client="bob", currency="USD", amount="50", idempotencyKey="a")
    await desk.does("withdrawFromWallet", walletId=wallet, amount="20", idempotencyKey="a")


async def sales(desk: Desk) -> None:
    refunded, _ = await desk.world.buy("b1")
    purchase = str(await value("select purchase_id from challenges where id = $1", refunded))
    await desk.does("updatePurchase", id=purchase, comment="a friend")
    await desk.does("refundPurchase", id=purchase, reason="asked for it", idempotencyKey="a")
    await settle()
    await desk.does("deletePurchase", id=purchase, reason="tidy")
    await desk.ask(
        "buyChallenge", Role.CLIENT, programId=str(desk.world.program), payment="EXTERNAL", idempotencyKey="b"
    )
    awaited = await value("select payment_reference from purchases where payment_reference is not null")
    payment = {"reference": awaited, "amount": "500", "currency": "USD", "idempotencyKey": "a"}
    await desk.does("confirmPayment", Role.PAYMENTS, **payment)
    cancelled, _ = await desk.world.buy("b2")
    await desk.does("cancelChallenge", id=str(cancelled), reason="fraud")
    await settle()


async def accounts(desk: Desk) -> None:
    account = await desk.does("createAccount", mode="RACE", idempotencyKey="a", group="DEMO")
    await desk.does("startAccount", accountId=account)
    for name in ("pauseAccount", "resumeAccount", "lockAccount", "unlockAccount"):
        await desk.does(name, accountId=account, reason=f"{name}, for a reason")
    booking = {"amount": "-1.5", "countsAsProfit": True, "idempotencyKey": "a"}
    await desk.does("adjustAccount", accountId=account, reason="a feed fault", **booking)
    await desk.does("completeAccount", accountId=account)
    account = await desk.does("createAccount", mode="AUDITION", idempotencyKey="b", group="DEMO")
    await desk.does("startAccount", accountId=account)
    await desk.does("liquidateAccount", accountId=account, reason="abuse")


async def trading(desk: Desk) -> None:
    account = await desk.does("createAccount", mode="RACE", idempotencyKey="c", group="DEMO")
    await desk.does("startAccount", accountId=account)
    what = {"action": "OPEN", "symbol": "EURUSD", "side": "LONG", "quantity": "1000"}
    batch = [
        {**what, "actionId": "a1"},
        {**what, "actionId": "a2", "side": "SHORT", "order": "LIMIT", "price": "1.5"},
        {**what, "actionId": "a3", "action": "INCREASE"},
    ]
    await desk.does("submitDecisionActions", accountId=account, runId="r", actions=batch)
    names = "select account_id || '-' || seq from {} where account_id = $1 {}"
    await desk.does("cancelOrder", orderId=await value(names.format("orders", "and status = 'WORKING'"), int(account)))
    newest = names.format("fills", "and status = 'BOOKED' order by seq desc limit 1")
    await desk.does("voidFill", fillIds=[await value(newest, int(account))], reason="a bad print")
    filled = names.format("orders", "and status = 'FILLED'")
    await desk.does("voidOrder", orderIds=[await value(filled, int(account))], reason="and the other")
    await desk.does("recomputeAccount", accountId=account, apply=True, reason="to be sure")


async def payouts(desk: Desk) -> None:
    challenge, account = await desk.world.buy("b3")
    await act(account, "OPEN", action_id="w1", quantity="1000000")
    await desk.world.quote("1.11")
    await act(account, "CLOSE", action_id="w2")
    for key, decision in (("a", "rejectPayout"), ("b", "cancelPayout"), ("c", "approvePayout")):
        payout = await desk.does("requestPayout", challengeId=str(challenge), idempotencyKey=key)
        reason = {"reason": "not yet"} if decision == "rejectPayout" else {}
        await desk.does(decision, id=payout, idempotencyKey=key, **reason)
    await settle()


async def verdicts(desk: Desk) -> None:
    challenge, account = await desk.world.buy("b4")
    await act(account, "OPEN", action_id="v1", quantity="1000000")
    span = await bad_print(desk.world)
    await desk.world.quote("1.11", after=timedelta(0))
    what = {
        "reason": "ten times too low",
        "symbol": "EURUSD",
        "sourceFrom": span.source_from.isoformat(),
        "sourceBefore": span.source_before.isoformat(),
    }
    await desk.does("voidQuotes", Role.ADMIN, **what)
    again = {"reason": "a bad print", "idempotencyKey": "a"}
    await desk.does("reinstateChallenge", id=str(challenge), apply=True, **again)
    await desk.does("reinstateChallenges", **(what | again))
    await settle()


async def operations(desk: Desk) -> None:
    at = (desk.world.at + timedelta(minutes=1)).isoformat()
    await desk.does(
        "ingestQuotes", Role.ADMIN, quotes=[{"symbol": "EURUSD", "bid": "1.1", "ask": "1.1002", "time": at}]
    )
    marked = str(await value("select account_id from challenges where status = 1"))
    await desk.does("markAccountToMarket", accountId=marked)
    await desk.does("markAllToMarket", Role.ADMIN)
    await value(
        "insert into quarantine (account_id, seq, error, message) values ($1, 1, 'ValueError', '')", int(marked)
    )
    await desk.does("releaseQuarantine", accountId=marked, reason="put right")
    dead = """insert into jobs (brand, kind, account_id, status, facts)
      select 'acme', 'close_account', max(id), 'DEAD', '{"end": "COMPLETED"}' from accounts where challenge_id is null
      returning id"""
    await desk.does("retryJob", id=str(await value(dead)))


async def test_what_clients_traders_and_feeds_do_and_what_is_refused_leaves_none(api: Api) -> None:
    desk = Desk(api, await a_world(api.database_url))
    _, account = await desk.world.buy()
    before = await value("select count(*) from audit")
    batch = {"accountId": str(account), "runId": "r"}
    what = {"action": "OPEN", "symbol": "EURUSD", "side": "LONG", "quantity": "1000"}
    for role in (Role.TRADER, Role.CLIENT):
        await desk.ask("submitDecisionActions", role, **batch, actions=[{**what, "actionId": role}])
    order = {"programId": str(desk.world.program), "walletId": str(desk.world.wallet), "idempotencyKey": "x"}
    await desk.ask("buyChallenge", Role.CLIENT, **order)
    at = (desk.world.at + timedelta(minutes=1)).isoformat()
    await desk.ask("ingestQuotes", Role.FEED, quotes=[{"symbol": "EURUSD", "bid": "1.1", "ask": "1.2", "time": at}])
    manager = await api.token("MANAGER", "acme")
    refused = await api.ask(mutation("pauseAccount"), manager, input={"accountId": str(account), "reason": " "})
    assert refused["pauseAccount"]["userErrors"][0]["field"] == "reason"
    assert await value("select count(*) from audit") == before


async def test_the_log_is_read_newest_first_filtered_and_only_by_its_brand(api: Api) -> None:
    desk = Desk(api, await a_world(api.database_url))
    await brands.save_brand(ADMIN, name="other", title="Other")
    first, second = [
        await desk.does("createAccount", mode="RACE", idempotencyKey=key, clone=f"c-{key}") for key in "ab"
    ]
    await desk.does("startAccount", accountId=first)
    await desk.does("lockAccount", accountId=first, reason="why")
    query = """query ($filter: AuditFilter) { auditLog(first: 1000, filter: $filter) { totalCount nodes {
      id brand seq actor role operation objectKind objectId reason before after requestId recordedAt hash } } }"""
    manager, stranger = desk.tokens[Role.MANAGER], await api.token("MANAGER", "other")

    async def log(token: str = manager, **which: Any) -> list[dict[str, Any]]:
        found = (await api.ask(query, token, filter=which))["auditLog"]
        assert found["totalCount"] == len(found["nodes"])
        nodes: list[dict[str, Any]] = found["nodes"]
        return nodes

    of_first = await log(objectKind="account", objectId=first)
    assert [row["operation"] for row in of_first] == ["lockAccount", "startAccount", "createAccount"]
    assert (of_first[0]["before"]["status"], of_first[0]["after"]["status"]) == ("ACTIVE", "LOCKED")
    assert (of_first[0]["reason"], of_first[0]["brand"], of_first[0]["role"]) == ("why", "acme", "MANAGER")
    every = await log()
    assert [row["seq"] for row in every] == list(range(len(every), 0, -1))
    assert {row["hash"] for row in every} == {
        row["hash"].hex() for row in await rows("select hash from audit where chain = 'acme'")
    }
    assert [row["objectId"] for row in await log(operation=["createAccount"])] == [second, first]
    assert len(await log(actor="manager:manager")) == 4
    assert len(await log(requestId=of_first[0]["requestId"])) == 1
    at = of_first[1]["recordedAt"]
    assert [row["operation"] for row in await log(recordedFrom=at)] == ["lockAccount", "startAccount"]
    assert of_first[1]["id"] not in {row["id"] for row in await log(recordedBefore=at)}
    assert await log(objectKind="account", objectId="999") == []
    assert {row["objectId"] for row in await log(stranger)} == {"other"}
    admins = await log(await api.token("ADMIN"))
    assert {row["brand"] for row in admins} == {"acme", "other", None}


@pytest.mark.parametrize(("offered", "kept"), NAMED)
async def test_a_request_is_called_what_its_client_calls_it_if_that_is_sane(
    api: Api, offered: str, *, kept: bool
) -> None:
    for body in ('{"query": "{ __typename }"}', "not even JSON"):
        response = await api.http.post("/graphql", headers={"X-Request-Id": offered}, content=body)
        name = response.headers["X-Request-Id"]
        assert (name == offered) == kept
        if not kept:
            assert str(uuid.UUID(name)) == name


async def test_each_operation_of_a_websocket_has_a_name_of_its_own(api: Api) -> None:
    await a_world(api.database_url)
    token = await api.token("MANAGER", "acme")
    given = {"mode": "RACE", "idempotencyKey": "a"}
    async with api.follow(token, mutation("createAccount"), input=given) as follower, asyncio.timeout(PATIENCE_SECONDS):
        assert (await follower.next())["createAccount"] == {"userErrors": []}
        assert json.loads(await follower.socket.recv())["type"] == "complete"
        variables = {"input": {**given, "idempotencyKey": "b"}}
        payload = {"query": mutation("createAccount"), "variables": variables}
        await send(follower.socket, type="subscribe", id="1", payload=payload)
        assert (await follower.next())["createAccount"] == {"userErrors": []}
    names = await rows("select request_id from audit where operation = 'createAccount'")
    assert len({row["request_id"] for row in names}) == 2
    assert all(uuid.UUID(row["request_id"]) for row in names)
