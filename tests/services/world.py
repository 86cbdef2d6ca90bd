"""A desk to test on: a replay database with a brand, instruments, groups, a program on sale and a funded client."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from config.database import connection
from domain.instruments import Instrument
from domain.lifecycles import ProgramStatus
from domain.orders import Action, ActionResult
from domain.programs import Draft, Step
from domain.quotes import Quote
from domain.terms import PhaseType
from services import actions, brands, groups, instruments, programs, purchases, quotes, wallets
from services.checks import verify
from services.columnar import passes
from services.jobs import work_queue
from services.principals import Principal, Role
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection

ADMIN = Principal(1, "root", Role.ADMIN)
MANAGER = Principal(2, "desk", Role.MANAGER, "acme")
CLIENT = Principal(3, "app", Role.CLIENT, "acme", "alice")
TRADER = Principal(4, "bot", Role.TRADER, "acme")

START = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
WIDE = {"notional_max": Decimal(5_000_000), "leverage_max": Decimal(50), "position_equity_pct_max": Decimal(5000)}
EVALUATION = Step(
    1,
    PhaseType.EVALUATION,
    "Evaluation",
    "DEMO",
    max_daily_loss_pct=Decimal(5),
    max_total_loss_pct=Decimal(10),
    profit_target_pct=Decimal(8),
)
FUNDED = Step(2, PhaseType.FUNDED, "Funded", "REAL", duration_days=2, max_daily_loss_pct=Decimal(5),
              max_total_loss_pct=Decimal(10), profit_split=Decimal("0.8"))  # fmt: skip


async def make_replay(url: str) -> None:
    """Turn a fresh database into a replay: only its owner can."""
    async with connection(url) as conn:
        await conn.execute("update desk set mode = 'REPLAY'")


def a_quote(symbol: str, mid: str, at: datetime, spread: str = "0.00002") -> Quote:
    half = Decimal(spread) / 2
    return Quote(symbol, Decimal(mid) - half, Decimal(mid) + half, at)


@dataclass(slots=True)
class World:
    """What the tests refer to."""

    program: int
    wallet: int
    at: datetime = START
    symbols: tuple[str, ...] = ("EURUSD",)  # those quoted from the start

    async def quote(self, mid: str, *, symbol: str = "EURUSD", after: timedelta = timedelta(minutes=1)) -> None:
        """Let the market's clock run on and the symbol be quoted at a price; mark, judge, do the jobs."""
        self.at += after
        await quotes.ingest([a_quote(symbol, mid, self.at)])
        await settle()

    async def buy(self, key: str = "k1") -> tuple[int, int]:
        """Buy the program for alice; answers challenge and account once it is started."""
        _, challenge = await purchases.buy(CLIENT, self.program, self.wallet, key)
        await settle()
        return challenge, await self.account(challenge)

    async def account(self, challenge: int) -> int:
        """The challenge's account of now."""
        found: int = await value("select account_id from challenges where id = $1", challenge)
        return found


async def value(sql: str, *args: object) -> Any:
    """One value from the database."""
    async with read_connection() as conn:
        return await conn.fetchval(sql, *args)


async def rows(sql: str, *args: object) -> list[dict[str, Any]]:
    """Rows from the database."""
    async with read_connection() as conn:
        return [dict(row) for row in await conn.fetch(sql, *args)]


async def settle() -> None:
    """Do what the workers would: passes and jobs, until nothing waits."""
    await passes.mark_shard(0)
    while await work_queue.do_jobs():
        await passes.mark_shard(0)


def an_action(verb: str = "OPEN", action_id: str = "a1", *, symbol: str = "EURUSD", side: str = "LONG",
              run: str = "r1", **given: str) -> Action:  # fmt: skip
    """An action of 1,000 units where no size is given; a CLOSE needs none."""
    if verb != "CLOSE" and not given.keys() & {"quantity", "notional", "fraction"}:
        given["quantity"] = "1000"
    return Action(run, action_id, verb, symbol, side, **given)


async def act(account: int, verb: str, *, action_id: str, side: str = "LONG", symbol: str = "EURUSD", run: str = "r1",
              **size: str) -> ActionResult:  # fmt: skip
    """Submit one action as the trader."""
    results = await actions.submit(TRADER, account, run, [Action(run, action_id, verb, symbol, side, **size)])
    return results[0]


async def a_world(
    url: str,
    *,
    steps: Sequence[Step] = (EVALUATION, FUNDED),
    mid: str = "1.10000",
    replay: bool = True,
    cash: int = 2_000,
    price: int = 500,
    policy: Mapping[str, Any] | None = None,
    symbols: int = 1,
) -> World:
    """Set everything up through the services, at START (live: now) with EURUSD quoted; `symbols` more than one
    makes and quotes others at the same price.
    """
    start = START if replay else await value("select clock_timestamp()")
    if replay:
        await make_replay(url)
    await brands.save_brand(ADMIN, name="acme", title="Acme Prop")
    for symbol, base in (("EURUSD", "EUR"), ("GBPUSD", "GBP")):
        instrument = Instrument(symbol, base, "USD", 5, Decimal(1), Decimal(1000))
        await instruments.save_instrument(ADMIN, instrument)
    quoted = ["EURUSD", *[f"XX{n:02}USD" for n in range(1, symbols)]]
    for symbol in quoted[1:]:
        await instruments.save_instrument(ADMIN, Instrument(symbol, "EUR", "USD", 5, Decimal(1), Decimal(1000)))
    await quotes.ingest([a_quote(symbol, mid, start) for symbol in quoted])
    for name, kind in (("DEMO", "DEMO"), ("REAL", "REAL")):
        await groups.save_group(
            MANAGER, name=name, kind=kind, currency="USD", deposit=Decimal(100_000), policy=policy or WIDE
        )
    draft = Draft("Two phases", Decimal(price), "USD", tuple(steps))
    program = await programs.create_program(MANAGER, draft)
    await programs.update_program(MANAGER, program, expected_version=1, status=ProgramStatus.ACTIVE)
    wallet = await wallets.deposit_to_wallet(MANAGER, client="alice", currency="USD", amount=Decimal(cash), key="w1")
    await passes.mark_shard(0)
    return World(program, wallet, start, tuple(quoted))


async def books_hold() -> None:
    """Nothing that `verify` knows to look for is wrong."""
    found = await verify.check_books()
    assert not found, found


@asynccontextmanager
async def another_process(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of somebody else's, outside this process's pool, committed at the end."""
    async with connection(url) as conn, conn.transaction():
        yield conn


async def elsewhere(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it as another task of this process would, outside the transaction that is open here."""
    return await asyncio.create_task(work, context=Context())


async def waits(url: str, many: int = 1) -> None:
    """Return when as many of this database's transactions wait for a lock."""
    async with connection(url) as conn, asyncio.timeout(20):
        waiting = """select count(*) from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'"""
        while await conn.fetchval(waiting) < many:
            await conn.execute("select pg_stat_clear_snapshot()")


async def hurry() -> None:
    """Let the jobs that are put off be due now."""
    async with transaction() as work:
        await work.conn.execute("update jobs set due_at = clock_timestamp() where status = 'QUEUED'")


async def plant_a_breach(url: str, challenge: int) -> None:
    """A breach of today that nobody found: the account's true one cannot be written beside it."""
    async with connection(url) as conn:
        await conn.execute(
            """insert into breaches (challenge_id, phase_id, account_id, rule, consequence, day, day_date, market_time,
              batch, "limit", floor, observed, headroom, derivation, ledger_seq, ledger_hash, terms_hash)
            select c.id, p.id, p.account_id, 'MAX_TOTAL_LOSS', 'WARN', 1, now(), now(), 1, 0, 0, 0, 0, '{}', 1, '',
              c.terms_hash from challenges c join challenge_phases p on p.account_id = c.account_id where c.id = $1""",
            challenge,
        )


async def forget_breaches(url: str, challenge: int) -> None:
    """Take it away again."""
    async with connection(url) as conn:
        await conn.execute("delete from breaches where challenge_id = $1", challenge)


async def kill_connections(url: str, only: int | None = None) -> int:
    """Terminate every connection of this database, as a restart of the server would, or only the one of that backend.

    Answers how many.
    """
    async with connection(url) as conn:
        killed: int = await conn.fetchval(
            """select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and pid = coalesce($1, pid)""",
            only,
        )
        return killed


async def totals() -> dict[str, int]:
    """How many rows each table has."""
    names = [row["tablename"] for row in await rows("select tablename from pg_tables where schemaname = 'public'")]
    return {name: await value(f'select count(*) from "{name}"') for name in names}


def changed(step: Step, **changes: Any) -> Step:
    """The step with other rules."""
    return replace(step, **changes)
