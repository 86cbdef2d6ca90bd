"""The main job once, through GraphQL alone: a firm is set up and sells a program twice; one fails, one is paid."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from cli.bots import Desk, Frame, Loser, Offer, Winner
from cli.client import Client
from cli.lockstep import LockStep

BRAND = "demo"
PRECISIONS = {"XAUUSD": 3, "BTCUSD": 2}
PRECISION = 5  # of any other
LONG_CODES = ("USDT", "USDC")  # of currencies that symbols end with; any other has three letters
POLICY = {
    "leverageMax": "100",
    "notionalMax": "10000000",
    "positionEquityPctMax": "10000",
    "feeBps": "0.2",
    "slippage": "BID_ASK",
}
STEPS: list[dict[str, Any]] = [
    {
        "phaseIndex": 1,
        "phaseType": "EVALUATION",
        "name": "Evaluation",
        "accountGroup": "DEMO_USD",
        "maxDailyLossPct": "3",
        "maxTotalLossPct": "10",
        "profitTargetPct": "5",
        "bestDayPct": "70",
        "minTradingDays": 1,
        "maxPositions": 5,
        "limits": {"dailyLoss": {"consequence": "PAUSE_DAY"}, "totalLoss": {"trail": "TRAIL_INTRADAY"}},
    },
    {
        "phaseIndex": 2,
        "phaseType": "FUNDED",
        "name": "Funded",
        "accountGroup": "REAL_USD",
        "durationDays": 4,
        "maxDailyLossPct": "5",
        "maxTotalLossPct": "10",
        "profitSplit": "0.8",
        "limits": {"totalLoss": {"trail": "TRAIL_END_OF_DAY", "lockAt": "0"}},
    },
]
ZONE = "Europe/Prague"
WINNER, LOSER = "winner", "loser"

_PROGRAMS = "query { programs { nodes { id name version status } } }"
_STATE = """
query {
  challenges(first: 10) {
    nodes { id client status currentPhaseIndex account { id balance startingBalance blockedUntil } }
  }
}
"""
RUNNING = "ACTIVE"


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
    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    bots: dict[str, Winner | Loser] = field(default_factory=lambda: {WINNER: Winner(ZONE), LOSER: Loser()})
    actions: int = 0

    async def speak(self, stack: AsyncExitStack, who: str, token: str) -> None:
        """Let `who` speak with a token."""
        self.tokens[who] = token
        client = Client(self.url, token, patience_seconds=self.patience_seconds)
        self.clients[who] = await stack.enter_async_context(client)

    async def ask(self, who: str, field_name: str, of: str, answer: str, /, **content: Any) -> Any:
        """Send one mutation whose input type is `of`; answers its payload."""
        return await self.clients[who].ask(_mutation(field_name, of, answer), input=content)

    async def prepare(self, stack: AsyncExitStack, symbols: Sequence[str], first: Frame) -> LockStep:
        """Brand, instruments and tokens by the admin; the first quotes; groups, program and wallets by the manager."""
        await self.ask("admin", "saveBrand", "SaveBrandInput", "brand { name }", name=BRAND, title="Demo Prop")
        for symbol in symbols:
            priced_in = next((code for code in LONG_CODES if symbol.endswith(code)), symbol[-3:])
            await self.ask(
                "admin", "saveInstrument", "SaveInstrumentInput", "instrument { symbol }",
                symbol=symbol, baseCurrency=symbol.removesuffix(priced_in), quoteCurrency=priced_in,
                pricePrecision=PRECISIONS.get(symbol, PRECISION), quantityStep="0.01", quantityMin="0.01",
            )  # fmt: skip
        for who, role, subject in (
            ("feed", "FEED", None),
            ("manager", "MANAGER", None),
            ("bot", "TRADER", None),
            (WINNER, "CLIENT", WINNER),
            (LOSER, "CLIENT", LOSER),
        ):
            made = await self.ask(
                "admin", "createApiToken", "CreateApiTokenInput", "token",
                role=role, name=who, subject=subject, brand=None if role == "FEED" else BRAND,
            )  # fmt: skip
            await self.speak(stack, who, made["token"])
        steps = LockStep(self.clients["admin"])
        await steps.feed(first.rows)
        await steps.wait()
        for name, kind in (("DEMO_USD", "DEMO"), ("REAL_USD", "REAL")):
            await self.ask(
                "manager", "saveAccountGroup", "SaveAccountGroupInput", "accountGroup { id }",
                name=name, kind=kind, currency="USD", defaultDeposit="100000", policy=POLICY,
            )  # fmt: skip
        await self._put_on_sale()
        return steps

    async def _put_on_sale(self) -> None:
        """Create the program and activate it; an answer that was lost is looked up, never repeated blindly."""
        known = await self.clients["manager"].ask(_PROGRAMS)
        if not known["nodes"]:
            await self.ask(
                "manager", "createProgram", "CreateProgramInput", "program { id }",
                name="Demo two-step", price="500", priceCurrency="USD", zone=ZONE, dayStart="00:00",
                steps=STEPS,
            )  # fmt: skip
        program = (await self.clients["manager"].ask(_PROGRAMS))["nodes"][0]
        await self.ask(
            "manager", "updateProgram", "UpdateProgramInput", "program { id status }",
            id=program["id"], expectedVersion=program["version"], status="ACTIVE",
        )  # fmt: skip
        self.tell(f"program {program['name']!r} is on sale")

    async def buy(self, steps: LockStep) -> None:
        """Each client's wallet is funded; each finds the program, buys it, and is waited for until it has started."""
        for client in (WINNER, LOSER):
            wallet = await self.ask(
                "manager", "depositToWallet", "DepositToWalletInput", "wallet { id }",
                client=client, currency="USD", amount="1000", idempotencyKey=f"fund-{client}",
            )  # fmt: skip
            on_sale = await self.clients[client].ask("query { availablePrograms { nodes { id name price } } }")
            program = on_sale["nodes"][0]
            bought = await self.ask(
                client, "buyChallenge", "BuyChallengeInput", "challenge { id }",
                programId=program["id"], walletId=wallet["wallet"]["id"], idempotencyKey=f"buy-{client}",
            )  # fmt: skip
            number = bought["challenge"]["id"]
            self.tell(f"{client} bought {program['name']!r} for {program['price']} USD: challenge {number}")
            await steps.wait()

    async def state(self) -> dict[str, dict[str, Any]]:
        """Each client's challenge as it is now."""
        found = await self.clients["manager"].ask(_STATE)
        return {challenge["client"]: challenge for challenge in found["nodes"]}

    async def decide(self, frames: Sequence[Frame], now: int, state: dict[str, dict[str, Any]]) -> None:
        """Let the bots propose what they propose at this frame."""
        for client, bot in self.bots.items():
            challenge = state[client]
            if challenge["status"] != RUNNING:
                continue
            account, blocked = challenge["account"], challenge["account"]["blockedUntil"]
            desk = Desk(
                account["id"],
                Decimal(account["balance"]) - Decimal(account["startingBalance"]),
                funded=challenge["currentPhaseIndex"] == len(STEPS),
                blocked_until=datetime.fromisoformat(blocked) if blocked else None,
            )
            if offer := bot.propose(frames, now, desk):
                executed = await self._act(client, account["id"], now, offer)
                bot.answered(desk, offer, executed)

    async def _act(self, client: str, account: str, now: int, offer: Offer) -> bool:
        """Submit what a bot proposes; answers whether it was executed."""
        action = {"actionId": f"{now}-{offer.verb}", "action": offer.verb, "symbol": offer.symbol, "side": offer.side}
        size = {} if offer.notional is None else {"notional": offer.notional}
        answer = await self.ask(
            "bot", "submitDecisionActions", "SubmitDecisionActionsInput",
            "results { id status code message observed limit fill { price quantity fee realised } }",
            accountId=account, runId="demo", actions=[action | size],
        )  # fmt: skip
        self.actions += 1
        result = answer["results"][0]
        told = f"{client} {offer.verb} {offer.side} {offer.symbol} on {account}"
        if result["status"] != "EXECUTED":
            self.tell(f"{told}: {result['code']} ({result['message']})")
            return False
        fill = result["fill"]
        self.tell(f"{told}: {fill['quantity']} at {fill['price']}, realised {fill['realised']}")
        return True
