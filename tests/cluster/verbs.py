"""What the clients, bots and staff of the firm do: one function and one row for each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from cli.generator import SHAPES
from tests.cluster.firm import PRICE, Firm
from tests.cluster.journal import Outcome, Request

SIDES = ("LONG", "SHORT")
SUBMIT = "results { id actionId status code replayed order { id } fill { price quantity fee realised } }"


@dataclass(slots=True)
class Account:
    """A running challenge's account, as it was seen last."""

    id: str
    challenge: str
    client: str
    purchase: str
    funded: bool
    open: set[tuple[str, str]] = field(default_factory=set)  # symbol and side, as acknowledged
    working: list[str] = field(default_factory=list)  # ids of resting orders
    orders: list[str] = field(default_factory=list)  # ids of filled ones


@dataclass(slots=True)
class World:
    """What the verbs act on."""

    firm: Firm
    chance: Random
    accounts: dict[str, Account] = field(default_factory=dict)  # by id, those that run
    payouts: list[tuple[str, str]] = field(default_factory=list)  # id and client of requested ones
    free: list[str] = field(default_factory=list)  # accounts without a challenge
    bids: dict[str, Any] = field(default_factory=dict)  # newest, by symbol

    def an_account(self) -> Account | None:
        """Any running account."""
        return self.chance.choice(list(self.accounts.values())) if self.accounts else None


Verb = Callable[[World], Awaitable[object]]


async def buy(world: World) -> None:
    """A client buys from its wallet."""
    client = world.chance.choice(world.firm.clients)
    await world.firm[client].ask(
        "buyChallenge", "purchase { id status } challenge { id }", programId=world.chance.choice(world.firm.programs),
        walletId=world.firm.wallets[client],
    )  # fmt: skip


async def buy_outside(world: World) -> None:
    """A client orders, and the payment provider's hook confirms its payment."""
    client = world.chance.choice(world.firm.clients)
    ordered = await world.firm[client].ask(
        "buyChallenge", "purchase { id status paymentReference }", programId=world.chance.choice(world.firm.programs),
        payment="EXTERNAL",
    )  # fmt: skip
    if ordered.outcome is Outcome.DONE:
        await world.firm["hook"].ask(
            "confirmPayment", "purchase { id challengeId }", amount=PRICE, currency="USD",
            reference=ordered.payload["purchase"]["paymentReference"],
        )  # fmt: skip


async def trade(world: World) -> None:
    """A bot opens, adds to, reduces and closes positions in one batch."""
    if account := world.an_account():
        await _submit(world, account, [_order(world, account) for _ in range(world.chance.randint(1, 6))])


async def rest(world: World) -> None:
    """A bot places an order near the market, which may trigger soon, and one far from it, which rests."""
    if (account := world.an_account()) and world.bids:
        symbol, side = world.chance.choice(sorted(SHAPES)), world.chance.choice(SIDES)
        shape, bid = SHAPES[symbol], world.bids[symbol]
        away = shape.step_points * world.chance.randint(1, 30) * world.chance.choice((1, -1))
        order = {"action": "OPEN", "symbol": symbol, "side": side, "notional": _size(world)}
        order |= {"order": world.chance.choice(("LIMIT", "STOP")), "price": str(bid + shape.point * away)}
        far = str((bid * Decimal("0.98")).quantize(shape.point))
        resting = {
            "action": "OPEN",
            "symbol": symbol,
            "side": "LONG",
            "notional": "20000",
            "order": "LIMIT",
            "price": far,
        }
        await _submit(world, account, [order, resting])


async def cancel_rest(world: World) -> None:
    """A bot cancels a resting order."""
    waiting = [account for account in world.accounts.values() if account.working]
    if waiting:
        account = world.chance.choice(waiting)
        order = account.working.pop(world.chance.randrange(len(account.working)))
        await world.firm["bot"].ask("cancelOrder", "order { id status }", has_key=False, orderId=order)


async def request_payout(world: World) -> None:
    """A client closes what is open on a funded account, gets profit booked, and asks for some of it."""
    funded = [account for account in world.accounts.values() if account.funded]
    if not funded:
        return
    account = world.chance.choice(funded)
    closes = [{"action": "CLOSE", "symbol": symbol, "side": side} for symbol, side in sorted(account.open)]
    if closes:
        await _submit(world, account, closes)
    await _adjust(world, account.id, "1500", is_profit=True)
    requested = await world.firm[account.client].ask(
        "requestPayout", "payout { id amount profit status }", challengeId=account.challenge,
        amount=world.chance.choice((None, "100", "250.5")),
    )  # fmt: skip
    if requested.outcome is Outcome.DONE and requested.payload["payout"]:
        world.payouts.append((requested.payload["payout"]["id"], account.client))


async def decide_payout(world: World) -> None:
    """A manager approves or rejects a payout, or its client takes it back."""
    if world.payouts:
        payout, client = world.payouts.pop(0)
        verb = world.chance.choice(("approvePayout", "approvePayout", "rejectPayout", "cancelPayout"))
        who = client if verb == "cancelPayout" else "manager"
        request = world.firm[who].journal.name(who)
        given: dict[str, Any] = {"reason": request} if verb == "rejectPayout" else {}
        await world.firm[who].ask(verb, "payout { id status }", key=request, id=payout, **given)


async def void(world: World) -> None:
    """A manager voids a filled order; later fills may need it, which is refused."""
    traded = [account for account in world.accounts.values() if account.orders]
    if traded:
        account = world.chance.choice(traded)
        order = account.orders.pop(world.chance.randrange(len(account.orders)))
        await _by_hand(world, "voidOrder", "correctionId", orderIds=[order])


async def adjust(world: World) -> None:
    """A manager books an amount on an account."""
    if account := world.an_account():
        amount = world.chance.choice(("25.5", "-20", "100", "-3000"))
        await _adjust(world, account.id, amount, is_profit=world.chance.random() < 0.5)


async def pause_and_resume(world: World) -> None:
    """A manager closes an account for actions, and opens it again."""
    if account := world.an_account():
        there, back = world.chance.choice((("pauseAccount", "resumeAccount"), ("lockAccount", "unlockAccount")))
        if (await _by_hand(world, there, "account { id status }", accountId=account.id)).outcome is Outcome.DONE:
            await _by_hand(world, back, "account { id status }", accountId=account.id)


async def terminate(world: World) -> None:
    """A manager ends a running challenge: liquidates, cancels, or gives its price back."""
    if account := world.an_account():
        verb = world.chance.choice(("liquidate", "cancel", "refund"))
        if verb == "liquidate":
            await _by_hand(world, "liquidateAccount", "account { id status }", accountId=account.id)
        elif verb == "cancel":
            await _by_hand(world, "cancelChallenge", "challenge { id status }", id=account.challenge)
        else:
            await _by_hand(world, "refundPurchase", "purchase { id status }", has_key=True, id=account.purchase)


async def move_cash(world: World) -> None:
    """A manager puts money into a wallet, or lets it leave."""
    client = world.chance.choice(world.firm.clients)
    if world.chance.random() < 0.5:
        await world.firm["manager"].ask(
            "depositToWallet", "wallet { id }", client=client, currency="USD", amount="120.25"
        )
    else:
        await _by_hand(
            world, "withdrawFromWallet", "wallet { id }", has_key=True, walletId=world.firm.wallets[client],
            amount="35.75",
        )  # fmt: skip


async def free_account(world: World) -> None:
    """A manager opens an account outside any challenge and starts it, or completes one of these."""
    manager = world.firm["manager"]
    if world.free and world.chance.random() < 0.5:
        await manager.ask("completeAccount", "account { id status }", has_key=False, accountId=world.free.pop(0))
        return
    made = await manager.ask("createAccount", "account { id }", mode="RACE", group="DEMO_USD")
    if made.outcome is Outcome.DONE:
        account = made.payload["account"]["id"]
        await manager.ask("startAccount", "account { id status }", has_key=False, accountId=account)
        world.free.append(account)


async def recompute(world: World) -> None:
    """A manager computes an account again, marks it, or lets it out of a quarantine in which it is not."""
    if account := world.an_account():
        verb = world.chance.choice(("recompute", "mark", "release"))
        if verb == "recompute":
            await _by_hand(world, "recomputeAccount", "correctionId", accountId=account.id, apply=True)
        elif verb == "release":
            await _by_hand(world, "releaseQuarantine", "account { id }", accountId=account.id)
        else:
            mark = "account { id markedThrough }"
            await world.firm["admin"].ask("markAccountToMarket", mark, has_key=False, accountId=account.id)


async def reinstate(world: World) -> None:
    """An admin declares a second's quotes of a symbol void, and has the verdicts that rest on them set aside."""
    now, symbol = datetime.now(UTC), world.chance.choice(sorted(SHAPES))
    span: dict[str, Any] = {"symbol": symbol, "sourceFrom": (now - timedelta(seconds=4)).isoformat()}
    span["sourceBefore"] = (now - timedelta(seconds=3)).isoformat()
    voided = await _by_hand(world, "voidQuotes", "quoteVoid { id }", who="admin", **span)
    if voided.outcome is Outcome.DONE:
        await _by_hand(world, "reinstateChallenges", "bulkReinstatement { id hit }", has_key=True, **span)


WEIGHTS: dict[Verb, float] = {
    buy: 8,
    buy_outside: 4,
    trade: 36,
    rest: 8,
    cancel_rest: 4,
    request_payout: 5,
    decide_payout: 5,
    void: 4,
    adjust: 4,
    pause_and_resume: 2,
    terminate: 1.5,
    move_cash: 4,
    free_account: 1.5,
    recompute: 2,
    reinstate: 0.5,
}


async def _submit(world: World, account: Account, actions: list[dict[str, Any]]) -> None:
    """Propose the actions in one batch, and remember what was executed."""
    bot = world.firm["bot"]
    run = bot.journal.name(bot.who)
    numbered = [action | {"actionId": str(place)} for place, action in enumerate(actions)]
    request = await bot.ask(
        "submitDecisionActions", SUBMIT, key=run, has_key=False, accountId=account.id, runId=run, actions=numbered
    )
    for action, result in zip(numbered, request.payload.get("results", ()), strict=False):
        place = (action["symbol"], action["side"])
        if result["status"] == "WORKING":
            account.working.append(_order_id(account, result))
        elif result["status"] == "EXECUTED":
            account.orders.append(_order_id(account, result))
            if action["action"] == "OPEN":
                account.open.add(place)
            elif action["action"] == "CLOSE":
                account.open.discard(place)


def _order(world: World, account: Account) -> dict[str, Any]:
    """An action at the market that fits what is open, most of the time."""
    chance = world.chance
    symbol, side = chance.choice(sorted(SHAPES)), chance.choice(SIDES)
    action = {"symbol": symbol, "side": side}
    if (symbol, side) not in account.open:
        return action | {"action": "OPEN", "notional": _size(world)}
    verb = chance.choice(("INCREASE", "REDUCE", "CLOSE", "CLOSE"))
    if verb == "INCREASE":
        return action | {"action": verb, "notional": _size(world)}
    return action | {"action": verb} | ({"fraction": "0.3"} if verb == "REDUCE" else {})


def _size(world: World) -> str:
    """Most positions are small; one in ten decides its challenge soon."""
    return world.chance.choice(("8000000", *["20000", "50000", "150000"] * 3))


def _order_id(account: Account, result: dict[str, Any]) -> str:
    return str(result["order"]["id"])


async def _adjust(world: World, account: str, amount: str, *, is_profit: bool) -> Request:
    return await _by_hand(
        world, "adjustAccount", "account { id }", has_key=True, accountId=account, amount=amount,
        countsAsProfit=is_profit,
    )  # fmt: skip


async def _by_hand(
    world: World, operation: str, answer: str, *, who: str = "manager", has_key: bool = False, **content: Any
) -> Request:
    """What staff does for a reason: the request's id, by which the audit names it."""
    speaker = world.firm[who]
    key = speaker.journal.name(who)
    return await speaker.ask(operation, answer, key=key, has_key=has_key, reason=key, **content)
