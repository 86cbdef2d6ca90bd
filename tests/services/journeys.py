"""Random journeys of several accounts, played through the services, and what they leave in the database."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.instruments import Instrument
from domain.lifecycles import ProgramStatus
from domain.orders import Action
from domain.programs import Draft, Step
from domain.terms import PhaseType
from services import actions, instruments, marking, programs, purchases, quotes
from services.jobs import work_queue
from tests.services.world import ADMIN, CLIENT, EVALUATION, MANAGER, TRADER, WIDE, World, a_quote, a_world, rows

SYMBOLS = {"EURUSD": 11_000, "GBPUSD": 13_000, "EURGBP": 8_500}  # in 1/10,000
OPEN_ENDED = Step(1, PhaseType.EVALUATION, "E", "DEMO", profit_target_pct=Decimal(10_000))
NEVER_ENDING = (
    replace(OPEN_ENDED, max_daily_loss_pct=Decimal(1), limits={"daily_loss": {"consequence": "WARN"}}),
    replace(
        OPEN_ENDED,
        max_daily_loss_pct=Decimal(1),
        max_total_loss_pct=Decimal(2),
        limits={
            "daily_loss": {"consequence": "PAUSE_DAY", "reference": "HIGHER", "measured": "LOWER"},
            "total_loss": {"consequence": "WARN", "trail": "TRAIL_INTRADAY"},
        },
    ),
    replace(
        OPEN_ENDED,
        max_total_loss_pct=Decimal(2),
        max_daily_profit_pct=Decimal(1),
        limits={
            "total_loss": {"consequence": "WARN", "trail": "TRAIL_END_OF_DAY"},
            "daily_profit": {"consequence": "WARN", "touch": "REACHED"},
        },
    ),
)
ENDING = (
    replace(EVALUATION, max_daily_loss_pct=Decimal(2), profit_target_pct=Decimal(2)),
    replace(EVALUATION, max_total_loss_pct=Decimal(2), limits={"total_loss": {"trail": "TRAIL_INTRADAY"}}),
    replace(EVALUATION, max_total_loss_pct=Decimal(2), duration_days=2, profit_target_pct=Decimal(3)),
)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A batch, so long after the one before it: symbols and mids."""

    after: timedelta
    mids: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Acted:
    """An action on one of the accounts, by its place."""

    place: int
    action: Action


Journey = Sequence[Quoted | Acted]


def a_journey(seed: int, *, steps: int, accounts: int) -> Journey:
    """Mids that wander, now and then a pause of hours, and between them actions on what has just been quoted."""
    chance, mids, journey = random.Random(seed), dict(SYMBOLS), list[Quoted | Acted]()
    for n in range(steps):
        pause = chance.random() < 0.06
        after = timedelta(hours=chance.randint(3, 20)) if pause else timedelta(seconds=chance.randint(0, 25))
        symbols = chance.sample(sorted(mids), len(mids) if pause or n == 0 else chance.randint(1, 3))
        for symbol in symbols:
            mids[symbol] += chance.randint(-40, 40)
        journey.append(Quoted(after, tuple((symbol, f"{mids[symbol] / 10_000:.4f}") for symbol in symbols)))
        for _ in range(chance.choice((0, 0, 1))):
            verb = chance.choice(("OPEN", "OPEN", "INCREASE", "REDUCE", "CLOSE"))
            size = {"CLOSE": {}, "REDUCE": {"fraction": "0.5"}}.get(
                verb, {"quantity": str(chance.randint(100, 900) * 1000)}
            )
            side = chance.choice(("LONG", "SHORT"))
            prices = _some_prices(chance, mids[symbols[0]]) if verb in ("OPEN", "INCREASE") else {}
            action = Action("r1", f"a{n}", verb, symbols[0], side, **size, **prices)
            journey.append(Acted(chance.randrange(accounts), action))
    return journey


def _some_prices(chance: random.Random, mid: int) -> dict[str, str]:
    """Now and then an order that may rest, and now and then what protects it, on the right side or not."""
    given = {name: f"{(mid + chance.randint(-90, 90)) / 10_000:.4f}" for name in ("price", "stop_loss", "take_profit")}
    order = chance.choice((None, None, "LIMIT", "STOP"))
    kept = {name: price for name, price in given.items() if chance.random() < 0.3}
    return (
        kept | {"order": order, "price": given["price"]} if order else {n: p for n, p in kept.items() if n != "price"}
    )


async def begin(url: str, steps: Sequence[Step], accounts: int) -> tuple[World, list[int]]:
    """A desk with three symbols, one of them converted; so many challenges, of the programs in turn."""
    world = await a_world(url, cash=100_000, policy=WIDE | {"slippage": "BID_ASK"})
    await instruments.save_instrument(ADMIN, Instrument("EURGBP", "EUR", "GBP", 5, Decimal(1), Decimal(1000)))
    await quotes.ingest([a_quote(symbol, f"{mid / 10_000:.4f}", world.at) for symbol, mid in SYMBOLS.items()])
    sold = []
    for n, step in enumerate(steps):
        program = await programs.create_program(MANAGER, Draft(f"Program {n}", Decimal(0), "USD", (step,)))
        await programs.update_program(MANAGER, program, expected_version=1, status=ProgramStatus.ACTIVE)
        sold.append(program)
    challenges = [(await purchases.buy(CLIENT, sold[n % len(sold)], world.wallet, f"k{n}"))[1] for n in range(accounts)]
    await work_queue.do_jobs()
    return world, challenges


async def play(world: World, challenges: Sequence[int], journey: Journey, look: Callable[[], Awaitable[Any]]) -> None:
    """Hand the quotes in and submit the actions; after each batch somebody may look. Jobs are done after that."""
    for move in journey:
        if isinstance(move, Quoted):
            world.at += move.after
            await quotes.ingest([a_quote(symbol, mid, world.at, "0.0002") for symbol, mid in move.mids])
            await look()
            await work_queue.do_jobs()
        else:
            account = await world.account(challenges[move.place])
            await actions.submit(TRADER, account, move.action.run, [move.action])
            await work_queue.do_jobs()
    await marking.mark_all()


LEFT = {
    "accounts": "select id, status, read_only, blocked_until from accounts order by id",
    "balances": "select * from balances order by account_id",
    "ledger": "select account_id, seq, kind, balance_after, batch, hash from ledger order by account_id, seq",
    "orders": "select * from orders order by account_id, seq",
    "fills": "select * from fills order by account_id, seq",
    "days": "select * from days order by phase_id, number",
    "breaches": "select account_id, rule, day, market_time, batch, floor, observed, ledger_seq from breaches "
                "order by account_id, ledger_seq, rule",
    "phases": "select id, status, ended_at, end_reason from challenge_phases order by id",
    "metrics": "select account_id, market_time, batch, balance, equity, day_low, day_high, peak_equity from metrics "
               "order by account_id, batch, market_time",
}  # fmt: skip


async def left() -> dict[str, list[dict[str, Any]]]:
    """All that must not depend on who looked when. Accounts at rest only note how far the quotes have come."""
    found = {name: await rows(sql) for name, sql in LEFT.items()}
    for row in found["balances"]:
        del row["touched"]  # the number of a transaction
        if not row["live"]:
            row["marked_through"] = row["marked_at"] = None
    return found
