"""Accounts that trade as fast as they are answered, or at a given rate."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.lifecycles import ProgramStatus
from domain.orders import Action, ActionResult
from domain.programs import Draft, Step
from domain.terms import PhaseType
from models import challenges
from services import actions, groups, programs, purchases, wallets
from services.jobs import work_queue
from services.principals import Principal, Role
from services.unit_of_work.reads import read_connection
from tools.bench.population import CLIENT, MANAGER, Population

TRADER = Principal(4, "bench", Role.TRADER, MANAGER.brand)
RUN = "bench"
SYMBOLS = 3  # held at once
CYCLE = tuple(itertools.product(("OPEN", "INCREASE", "REDUCE", "CLOSE"), range(SYMBOLS)))
SIZES = {"OPEN": "20", "INCREASE": "10", "REDUCE": "10", "CLOSE": None}
POLICY = {
    "notional_max": Decimal(5_000_000),
    "leverage_max": Decimal(50),
    "position_equity_pct_max": Decimal(5000),
    "quote_age_seconds_max": 86_400,  # a bench without a feed
    "fee_bps": Decimal("0.1"),  # so that nobody is ruined by the number of actions
}
STEP = Step(
    1,
    PhaseType.EVALUATION,
    "Evaluation",
    "TRADERS",
    max_daily_loss_pct=Decimal(50),
    max_total_loss_pct=Decimal(50),
    profit_target_pct=Decimal(80),
)


@dataclass(slots=True)
class Trader:
    """One account and its endless plan: each action is executed, whatever the number of them in a batch."""

    account: int
    symbols: Sequence[str]
    done: int = 0
    answers: list[ActionResult] = field(default_factory=list)

    async def submit(self, size: int) -> int:
        """Submit the next `size` actions of the plan in one batch; answers how many that were."""
        planned = [self._action(number) for number in range(self.done, self.done + size)]
        self.done += size
        self.answers = await actions.submit(TRADER, self.account, RUN, planned)
        refused = [answer.refusal for answer in self.answers if answer.refusal]
        assert not refused, refused
        return size

    def _action(self, number: int) -> Action:
        verb, symbol = CYCLE[number % len(CYCLE)]
        return Action(RUN, f"a{number}", verb, self.symbols[symbol], "LONG", SIZES[verb])


async def hire(population: Population, many: int) -> list[Trader]:
    """Sell so many challenges of their own and start them; their accounts have consecutive numbers."""
    await groups.save_group(
        MANAGER, name="TRADERS", kind="DEMO", currency="USD", deposit=Decimal(100_000), policy=POLICY
    )
    program = await programs.create_program(MANAGER, Draft("Traders", Decimal(0), "USD", (STEP,)))
    await programs.update_program(MANAGER, program, expected_version=1, status=ProgramStatus.ACTIVE)
    bought = [await _sell(program, f"trader{n}") for n in range(many)]
    while await work_queue.do_jobs():
        pass
    async with read_connection() as conn:
        found = [(await challenges.read_challenge(conn, challenge))["account_id"] for challenge in bought]
    assert found == list(range(found[0], found[0] + many))
    return [Trader(account, population.symbols[:SYMBOLS]) for account in found]


async def _sell(program: int, client: str) -> int:
    """Sell the program to a client of its own; return the challenge."""
    wallet = await wallets.deposit_to_wallet(MANAGER, client=client, currency="USD", amount=Decimal(1), key=client)
    buyer = replace(CLIENT, subject=client)
    return (await purchases.buy(buyer, program, wallet, client))[1]


async def throughput(traders: Sequence[Trader], size: int, seconds: float) -> float:
    """Actions a second, each trader submitting its next batch when the last is answered."""
    began = time.perf_counter()

    async def trade(trader: Trader) -> int:
        many = 0
        while time.perf_counter() - began < seconds:
            many += await trader.submit(size)
        return many

    many = sum(await asyncio.gather(*(trade(trader) for trader in traders)))
    return many / (time.perf_counter() - began)


async def latencies(traders: Sequence[Trader], rate: float, seconds: float) -> list[float]:
    """Seconds from when each single action was due to its answer, so many due a second, on each account in turn."""
    began, took, tasks = time.perf_counter(), list[float](), list[asyncio.Task[None]]()

    async def act(trader: Trader, due: float) -> None:
        await trader.submit(1)
        took.append(time.perf_counter() - due)

    for number in range(max(int(rate * seconds), 1)):
        due = began + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(act(traders[number % len(traders)], due)))
    await asyncio.gather(*tasks)
    return sorted(took)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share of the others lies."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
