"""The main job once, through GraphQL alone: a firm is set up and sells programs; its clients trade and are paid."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

import httpx

from cli.client import Client, Refusal
from cli.lockstep import LockStep
from tools.bots import CENT, DayTrader, Desk, Frame, Loser, Proposal, Winner, without
from tools.firm import (
    BOUGHT,
    BRAND,
    DAY_TRADER,
    GROUPS,
    LOSER,
    POLICY,
    TWO_STEP,
    WEEKENDER,
    WINNER,
    ZONE,
    Offer,
    precision,
)
from tools.weekend import Weekend, Weekender, plan

LONG_CODES = ("USDT", "USDC")  # of currencies that symbols end with; any other has three letters
DEPOSIT = "1000"  # to the wallet of whoever buys from one
REFUSED_PAYOUT = "PAYOUT_NOT_ELIGIBLE"

_PROGRAMS = "query { programs { nodes { id name version status } } }"
_STATE = """
query {
  challenges(first: 10) {
    nodes { id client status currentPhaseIndex account { id balance startingBalance blockedUntil } }
  }
}
"""
RUNNING = "ACTIVE"
Bot = Winner | Loser | DayTrader | Weekender


def _mutation(field_name: str, kind: str, answer: str) -> str:
    return f"""mutation ($input: {kind}!) {{
      {field_name}(input: $input) {{ {answer} userErrors {{ code field message transient }} }}
    }}"""


@dataclass(slots=True)
class Journey:
    """The play: who speaks with which token, and what has been bought."""

    url: str
    patience_seconds: float
    tell: Callable[[str], None]
    frames: Sequence[Frame]
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None  # of each client; None: one of httpx's own
    weekend: Weekend | None = field(init=False)  # None: the quotes have none that can be played
    week: Sequence[Frame] = field(init=False)  # without what is traded over the weekend, which is the weekender's
    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    actions: int = 0
    bots: dict[str, Bot] = field(init=False)
    faults: list[str] = field(default_factory=list)  # answers that were not as expected

    def __post_init__(self) -> None:
        self.weekend = plan(self.frames)
        self.week = without(self.frames, {self.weekend.symbol}) if self.weekend else self.frames
        self.bots = {WINNER: Winner(ZONE), LOSER: Loser(), DAY_TRADER: DayTrader()}
        if self.weekend:
            self.bots[WEEKENDER] = Weekender(self.weekend)

    async def speak(self, stack: AsyncExitStack, who: str, token: str) -> None:
        """Give `who` a client with this token."""
        self.tokens[who] = token
        transport = self.transport() if self.transport else None
        client = Client(self.url, token, patience_seconds=self.patience_seconds, transport=transport)
        self.clients[who] = await stack.enter_async_context(client)

    async def ask(self, who: str, field_name: str, of: str, answer: str, /, **content: Any) -> Any:
        """Send one mutation whose input type is `of`; answers its payload."""
        return await self.clients[who].ask(_mutation(field_name, of, answer), input=content)

    async def prepare(self, stack: AsyncExitStack) -> LockStep:
        """Brand, instruments and tokens by the admin; the first quotes; groups, program and wallets by the manager."""
        await self.ask("admin", "saveBrand", "SaveBrandInput", "brand { name }", name=BRAND, title="Demo Prop")
        for symbol in sorted({row.symbol for frame in self.frames for row in frame.rows}):
            priced_in = next((code for code in LONG_CODES if symbol.endswith(code)), symbol[-3:])
            await self.ask(
                "admin", "saveInstrument", "SaveInstrumentInput", "instrument { symbol }",
                symbol=symbol, baseCurrency=symbol.removesuffix(priced_in), quoteCurrency=priced_in,
                pricePrecision=precision(symbol), quantityStep="0.01", quantityMin="0.01",
            )  # fmt: skip
        staff = [
            ("feed", "FEED", None),
            ("manager", "MANAGER", None),
            ("bot", "TRADER", None),
            ("hook", "PAYMENTS", None),
        ]
        for who, role, subject in [*staff, *((client, "CLIENT", client) for client in self.bots)]:
            made = await self.ask(
                "admin", "createApiToken", "CreateApiTokenInput", "token",
                role=role, name=who, subject=subject, brand=None if role == "FEED" else BRAND,
            )  # fmt: skip
            await self.speak(stack, who, made["token"])
        steps = LockStep(self.clients["admin"])
        await steps.feed(self.frames[0].rows)
        await steps.wait()
        for name, kind, currency in GROUPS:
            await self.ask(
                "manager", "saveAccountGroup", "SaveAccountGroupInput", "accountGroup { id }",
                name=name, kind=kind, currency=currency, defaultDeposit="100000", policy=POLICY,
            )  # fmt: skip
        offers = {BOUGHT[client].name: BOUGHT[client] for client in self.bots}
        for offer in offers.values():
            await self._put_on_sale(offer)
        self.tell(f"on sale: {', '.join(offers)}")
        return steps

    async def _put_on_sale(self, offer: Offer) -> None:
        """Create the program and activate it; after a lost answer it is looked up, never created twice."""
        if await self._program(offer) is None:
            await self.ask(
                "manager", "createProgram", "CreateProgramInput", "program { id }",
                name=offer.name, price=offer.price, priceCurrency=offer.currency, zone=ZONE, dayStart="00:00",
                steps=offer.steps,
            )  # fmt: skip
        program = await self._program(offer)
        assert program, "it has just been created"
        await self.ask(
            "manager", "updateProgram", "UpdateProgramInput", "program { id status }",
            id=program["id"], expectedVersion=program["version"], status="ACTIVE",
        )  # fmt: skip

    async def _program(self, offer: Offer) -> dict[str, Any] | None:
        page = await self.clients["manager"].ask(_PROGRAMS)
        return next((program for program in page["nodes"] if program["name"] == offer.name), None)

    async def buy(self, steps: LockStep) -> None:
        """Return each client buys its program, from its wallet or by a payment outside, and its challenge starts."""
        for client in self.bots:
            offer = BOUGHT[client]
            on_sale = await self.clients[client].ask("query { availablePrograms { nodes { id name } } }")
            program = next(program["id"] for program in on_sale["nodes"] if program["name"] == offer.name)
            buy = self._buy_outside if offer.payment == "EXTERNAL" else self._buy_from_wallet
            challenge = await buy(client, offer, program)
            self.tell(f"{client} bought {offer.name!r} for {offer.price} {offer.currency}: challenge {challenge}")
            await steps.wait()

    async def _buy_from_wallet(self, client: str, offer: Offer, program: str) -> str:
        """Fund the client's wallet and buy; return the challenge's id."""
        funded = await self.ask(
            "manager", "depositToWallet", "DepositToWalletInput", "wallet { id }",
            client=client, currency=offer.currency, amount=DEPOSIT, idempotencyKey=f"fund-{client}",
        )  # fmt: skip
        bought = await self.ask(
            client, "buyChallenge", "BuyChallengeInput", "challenge { id }",
            programId=program, walletId=funded["wallet"]["id"], idempotencyKey=f"buy-{client}",
        )  # fmt: skip
        return str(bought["challenge"]["id"])

    async def _buy_outside(self, client: str, offer: Offer, program: str) -> str:
        """Order, and let the payment provider's hook confirm the payment twice; return the challenge's id."""
        ordered = await self.ask(
            client, "buyChallenge", "BuyChallengeInput", "purchase { status paymentReference } challenge { id }",
            programId=program, payment="EXTERNAL", idempotencyKey=f"buy-{client}",
        )  # fmt: skip
        if ordered["challenge"] or ordered["purchase"]["status"] != "PENDING":
            self.faults.append(f"{client} has not paid, and its purchase is {ordered}")
        first, second = [
            await self.ask(
                "hook", "confirmPayment", "ConfirmPaymentInput", "purchase { id challengeId }",
                reference=ordered["purchase"]["paymentReference"], amount=offer.price, currency=offer.currency,
                idempotencyKey=f"payment-{client}",
            )
            for _ in range(2)
        ]  # fmt: skip
        if first != second:
            self.faults.append(f"{client}'s payment was confirmed as {first} and then as {second}")
        return str(first["purchase"]["challengeId"])

    async def state(self) -> dict[str, dict[str, Any]]:
        """Return each client's challenge as it is now."""
        found = await self.clients["manager"].ask(_STATE)
        return {challenge["client"]: challenge for challenge in found["nodes"]}

    def is_over(self, state: dict[str, dict[str, Any]]) -> bool:
        """Return whether each client's challenge has ended or its bot has finished."""
        return all(bot.done or state[client]["status"] != RUNNING for client, bot in self.bots.items())

    async def decide(self, now: int, state: dict[str, dict[str, Any]]) -> None:
        """Let the bots propose what they propose at this frame, and the winner request its payout."""
        for client, bot in self.bots.items():
            challenge = state[client]
            if challenge["status"] != RUNNING:
                continue
            account, blocked = challenge["account"], challenge["account"]["blockedUntil"]
            desk = Desk(
                account["id"],
                Decimal(account["balance"]) - Decimal(account["startingBalance"]),
                funded=challenge["currentPhaseIndex"] == len(TWO_STEP.steps),
                blocked_until=datetime.fromisoformat(blocked) if blocked else None,
            )
            if isinstance(bot, Winner) and (part := bot.requests(desk)):
                await self._be_paid(client, challenge["id"], desk.profit, part)
            elif proposal := bot.propose(self.frames if isinstance(bot, Weekender) else self.week, now, desk):
                executed = await self._act(client, account["id"], now, proposal)
                bot.answered(desk, proposal, executed)

    async def _be_paid(self, client: str, challenge: str, profit: Decimal, part: Decimal) -> None:
        """Request all of the profit, which the terms refuse, then a part, which the manager approves."""
        try:
            await self._request(client, challenge, profit.quantize(CENT, rounding=ROUND_DOWN))
            self.faults.append(f"{client} was granted all of its profit {profit}, and no buffer stays")
        except Refusal as refusal:
            if refusal.codes != (REFUSED_PAYOUT,) or "buffer" not in str(refusal):
                self.faults.append(f"{client} requested all of its profit, and {refusal}")
        payout = (await self._request(client, challenge, part))["payout"]
        await self.ask(
            "manager", "approvePayout", "ApprovePayoutInput", "payout { id }",
            id=payout["id"], idempotencyKey=f"approve-{payout['id']}",
        )  # fmt: skip
        self.tell(f"{client} is paid {payout['amount']}, its share of {part} of a profit of {profit}")

    async def _request(self, client: str, challenge: str, amount: Decimal) -> Any:
        return await self.ask(
            client, "requestPayout", "RequestPayoutInput", "payout { id amount }",
            challengeId=challenge, amount=str(amount), idempotencyKey=f"payout-{amount}",
        )  # fmt: skip

    async def _act(self, client: str, account: str, now: int, proposal: Proposal) -> bool:
        """Submit what a bot proposes; return whether it was executed."""
        trade = proposal.trade
        action = {
            "actionId": f"{now}-{proposal.verb}",
            "action": proposal.verb,
            "symbol": trade.symbol,
            "side": trade.side,
            **proposal.terms,
        }
        answer = await self.ask(
            "bot", "submitDecisionActions", "SubmitDecisionActionsInput",
            "results { id status code message observed limit fill { price quantity fee realised } }",
            accountId=account, runId="demo", actions=[action],
        )  # fmt: skip
        self.actions += 1
        result = answer["results"][0]
        told = f"{client} {proposal.verb} {trade.side} {trade.symbol} on {account}"
        if result["status"] != "EXECUTED":
            self.tell(f"{told}: {result['code']} ({result['message']})")
            return False
        fill = result["fill"]
        self.tell(f"{told}: {fill['quantity']} at {fill['price']}, realised {fill['realised']}")
        return True
