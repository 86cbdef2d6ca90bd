"""A desk full of running phases, made for measuring: a few are sold as clients buy them, the others are copies."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from config.database import connection
from domain.lifecycles import ProgramStatus
from domain.programs import Draft, Step
from domain.quotes import Quote
from domain.terms import PhaseType
from services import brands, groups, programs, purchases, quotes, wallets
from services.columnar import passes
from services.jobs import work_queue
from services.principals import Principal, Role

ADMIN = Principal(1, "bench", Role.ADMIN)
MANAGER = Principal(2, "bench", Role.MANAGER, "bench")
CLIENT = Principal(3, "bench", Role.CLIENT, "bench", "carol")

FIRST = 1_000_001  # the number of the first copy
HELD = 3  # positions an account
BASE = Decimal(100)  # every symbol's price at first
WIDE = {"notional_max": Decimal(5_000_000), "leverage_max": Decimal(50), "position_equity_pct_max": Decimal(5000)}
LIMITS: tuple[dict[str, dict[str, str]], ...] = (
    {},
    {"total_loss": {"trail": "TRAIL_INTRADAY"}},
    {"total_loss": {"trail": "TRAIL_END_OF_DAY", "measured": "LOWER"}},
    {"daily_loss": {"reference": "HIGHER", "percent_of": "INITIAL"}},
)

INSTRUMENTS = """
insert into instruments (symbol, base_currency, quote_currency, price_precision, quantity_step, quantity_min)
select symbol, case symbol when 'GBPUSD' then 'GBP' else 'EUR' end,
  case when symbol like '%GBP' then 'GBP' else 'USD' end, 5, 0.01, 0.01
from unnest($1::text[]) as n (symbol)
"""
COPIES = """
with sold as (
  select row_number() over (order by id) - 1 as n, count(*) over () as many, * from challenges where id < $1),
ids as (select $1::bigint + i as id, i from generate_series(0, $2::bigint - 1) i)
insert into {table} ({columns}) select {values} from ids join sold on sold.n = ids.i % sold.many
"""
CHALLENGES = COPIES.format(
    table="challenges",
    columns="id, brand, client, program_id, terms_hash, status, account_id, created_at",
    values="ids.id, brand, client, program_id, terms_hash, status, ids.id, created_at",
)
ACCOUNTS = (
    COPIES.format(
        table="accounts",
        columns="id, brand, challenge_id, group_name, mode, status, owner, currency, policy, starting_balance, "
        "created_at, started_at",
        values="ids.id, a.brand, ids.id, a.group_name, a.mode, a.status, a.owner, a.currency, a.policy, "
        "a.starting_balance, a.created_at, a.started_at",
    )
    + " join accounts a on a.id = sold.account_id"
)
PHASES = (
    COPIES.format(
        table="challenge_phases",
        columns="id, challenge_id, phase_index, phase_type, account_id, status, initial_balance, start_equity, "
        "started_at",
        values="ids.id, ids.id, p.phase_index, p.phase_type, ids.id, p.status, p.initial_balance, p.start_equity, "
        "p.started_at",
    )
    + " join challenge_phases p on p.account_id = sold.account_id"
)
BALANCES = (
    COPIES.format(
        table="balances",
        columns="account_id, cash, equity, high_watermark, seq, head, marked_through, marked_at, ledger_due_at, live, "
        "day, day_date, day_ends_at, day_start_balance, day_start_equity, day_low, day_high, peak_equity, "
        "peak_balance, peak_end_of_day, metric_due_at",
        values="ids.id, b.cash, b.equity, b.high_watermark, b.seq, b.head, b.marked_through, b.marked_at, "
        "now() + interval '1 year', true, b.day, b.day_date, b.day_ends_at, b.day_start_balance, b.day_start_equity, "
        "b.day_low, b.day_high, b.peak_equity, b.peak_balance, b.peak_end_of_day, now() + interval '1 year'",
    )
    + " join balances b on b.account_id = sold.account_id"
)
# Three of ten hold a hundred times as much, all of it long: a fall of 8 % breaks their daily limit and no other's.
POSITIONS = """
insert into positions (account_id, seq, symbol, side, status, quantity, cost_basis, opened_at)
select $1::bigint + i, 10 + k, ($3::text[])[(i * 7 + k * 31) % cardinality($3::text[]) + 1],
  case when i % 10 < 3 or (i + k) % 2 = 0 then 'LONG' else 'SHORT' end, 'OPEN', q, q * 100, now()
from generate_series(0, $2::bigint - 1) i cross join generate_series(0, $4::bigint - 1) k
cross join lateral (select case when i % 10 < 3 then 300 else 3 + (i + 5 * k) % 7 end::numeric as q) n
"""


@dataclass(frozen=True, slots=True)
class Population:
    accounts: int
    symbols: tuple[str, ...]

    def quotes(self, move: Decimal, symbols: int | None = None) -> list[Quote]:
        """Return the first so many symbols, or all, at their first price moved by so much of it."""
        at, price = datetime.now(UTC), (BASE * (1 + move)).quantize(Decimal("0.00001"))
        some = self.symbols[:symbols]
        return [Quote(symbol, price, price, at) for symbol in some] + [
            Quote("GBPUSD", Decimal("1.25") + move / 10, Decimal("1.25") + move / 10, at)
        ] * (symbols is None)


async def populate(url: str, accounts: int, symbols: int) -> Population:
    """Fill an empty desk, its database open, with active phases whose accounts hold HELD positions each."""
    names = tuple(f"S{n:04}{'GBP' if n % 10 == 9 else 'USD'}" for n in range(symbols))
    population = Population(accounts, names)
    await brands.save_brand(ADMIN, name="bench", title="Bench")
    async with connection(url) as conn:
        await conn.execute(INSTRUMENTS, [*names, "GBPUSD"])
        await conn.execute("update catalogue_version set version = version + 1")
    await quotes.ingest(population.quotes(Decimal(0)))
    for name, kind in (("DEMO", "DEMO"), ("REAL", "REAL")):
        await groups.save_group(MANAGER, name=name, kind=kind, currency="USD", deposit=Decimal(100_000), policy=WIDE)
    wallet = await wallets.deposit_to_wallet(MANAGER, client="carol", currency="USD", amount=Decimal(1), key="w")
    hour = datetime.now(UTC).hour  # the day has just begun, so none ends while we measure
    for n, limits in enumerate(LIMITS):
        step = Step(1, PhaseType.EVALUATION, "Evaluation", "DEMO", max_daily_loss_pct=Decimal(5),
                    max_total_loss_pct=Decimal(10), profit_target_pct=Decimal(8), limits=limits)  # fmt: skip
        draft = Draft(f"Program {n}", Decimal(0), "USD", (step,), day_start=time(hour))
        program = await programs.create_program(MANAGER, draft)
        await programs.update_program(MANAGER, program, expected_version=1, status=ProgramStatus.ACTIVE)
        await purchases.buy(CLIENT, program, wallet, f"k{n}")
    await work_queue.do_jobs()
    await passes.mark_shard(0)
    async with connection(url) as conn:
        for statement in (CHALLENGES, ACCOUNTS, PHASES, BALANCES):
            await conn.execute(statement, FIRST, accounts)
        await conn.execute(POSITIONS, FIRST, accounts, list(names), HELD)
        for table in ("balances", "positions", "accounts", "challenges", "challenge_phases"):
            await conn.execute(f"vacuum analyze {table}")
    return population
