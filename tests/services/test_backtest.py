"""The desk and the backtest agree to the last digit: the same quotes and actions leave the same rows."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli import quotefile
from config.settings import settings
from domain import backtest
from domain.backtest import BacktestResult, Setup, Submission
from domain.instruments import Catalogue, Instrument
from domain.ledger import Kind
from domain.lifecycles import ActionStatus, ChallengeStatus, OrderStatus, ProgramStatus
from domain.orders import Action, ActionResult, OrderType
from domain.programs import Draft, Step
from domain.quotes import Batch, Quote
from domain.rule_table import Rule
from domain.terms import Group, GroupKind, PhaseType
from models import accounts
from models.loaded import LoadedAccount
from services import actions, admin, brands, groups, instruments, programs, purchases, quotes, wallets
from services.conditions import conditions_of
from services.quote_cache import quote_cache
from services.unit_of_work.reads import read_connection
from tests.services.world import (
    ADMIN,
    CLIENT,
    MANAGER,
    TRADER,
    WIDE,
    a_quote,
    books_hold,
    make_replay,
    rows,
    settle,
    value,
)

AFTER_THE_BACKTEST = {"account_completed", "account_liquidated"}
"""What the desk goes on to write about an account that has ended."""

LENIENT = Step(
    1,
    PhaseType.EVALUATION,
    "Evaluation",
    "DEMO",
    profit_target_pct=Decimal(1000),
    max_daily_loss_pct=Decimal(1),
    max_total_loss_pct=Decimal(40),
    min_trading_days=1,
    limits={"daily_loss": {"consequence": "WARN"}, "total_loss": {"trail": "TRAIL_INTRADAY"}},
)
STRICT = replace(LENIENT, max_total_loss_pct=Decimal("0.7"), limits={"daily_loss": {"consequence": "PAUSE_DAY"}})
CLOSED = replace(LENIENT, max_daily_loss_pct=Decimal("0.3"), limits={"daily_loss": {"consequence": "CLOSE_DAY"}})
EASY = replace(LENIENT, profit_target_pct=Decimal("0.4"))


@dataclass(frozen=True, slots=True)
class Case:
    """What is played on both paths."""

    instruments: Sequence[Instrument]
    step: Step | None  # None: an account without a challenge
    quotes: Sequence[Quote]
    slippage: str = "BID_ASK"
    seed: int = 1


def a_case(step: Step | None, seed: int, slippage: str = "BID_ASK") -> Case:
    """Three symbols, one of them converted, over two midnights and three hours without a quote."""
    chance, at = random.Random(seed), datetime(2026, 3, 2, 21, tzinfo=UTC)
    mids, found = {"EURUSD": 11_000, "GBPUSD": 13_000, "EURGBP": 8_500}, []
    for n in range(64):
        at += timedelta(hours=3) if n == 20 else timedelta(minutes=chance.choice((1, 30, 40, 50)))
        for symbol in sorted(mids) if n in (0, 20) else chance.sample(sorted(mids), chance.randint(1, 3)):
            mids[symbol] += chance.randint(-40, 40)
            found.append(a_quote(symbol, f"{mids[symbol] / 10_000:.4f}", at, "0.0002"))
    traded = [Instrument(s, s[:3], s[3:], 5, Decimal(1), Decimal(1000)) for s in sorted(mids)]
    return Case(traded, step, found, slippage, seed)


def a_plan(case: Case, batches: Sequence[Batch]) -> list[Submission]:
    """Actions of every kind on what was just quoted: at the market, resting, protected, refused, sent again."""
    chance, sent, plan = random.Random(case.seed), list[Action](), list[Submission]()
    for batch in batches:
        together = [_proposal(chance, chance.choice(batch.quotes), f"a{batch.number}-{n}") for n in range(3)]
        together = together[: chance.choice((0, 1, 1, 2, 3))]
        if sent and chance.random() < 0.2:
            together.append(chance.choice(sent))
        if sent and chance.random() < 0.1:
            together.append(replace(chance.choice(sent), symbol="GBPUSD", reference="another"))
        sent += together
        if together:
            plan.append((batch.number, together))
    return plan


def _proposal(chance: random.Random, quote: Quote, name: str) -> Action:
    verb = chance.choice(("OPEN", "OPEN", "OPEN", "INCREASE", "REDUCE", "CLOSE", "HOLD"))
    side = chance.choice(("LONG", "SHORT"))
    size = {
        "CLOSE": {},
        "REDUCE": {"fraction": chance.choice(("0.3", "0.5", "1", "2"))},
        "INCREASE": {"notional": str(chance.randint(100, 90_000))},
    }.get(verb, {"quantity": str(chance.choice((1, 20, 300, 2_500)) * 100)})
    if verb in ("OPEN", "INCREASE"):
        sign = 1 if side == "LONG" else -1

        def price(bps: int) -> str:
            return f"{quote.mid * (10_000 + sign * bps) / 10_000:.4f}"

        order = chance.choice((None, "MARKET", "LIMIT", "STOP"))
        if order in ("LIMIT", "STOP"):
            size |= {"order": order, "price": price(chance.choice((-15, -5, 5, 15)))}
        if chance.random() < 0.5:
            size["stop_loss"] = price(-chance.choice((10, 40)))
        if chance.random() < 0.5:
            size["take_profit"] = price(chance.choice((10, 40)))
    return Action("r1", name, verb, quote.symbol, side, reference=name, **size)


async def opened(url: str, case: Case, first: Batch) -> LoadedAccount:
    """An account on a fresh desk, started at the first batch: bought, or opened by hand."""
    await make_replay(url)
    await brands.save_brand(ADMIN, name="acme", title="Acme Prop")
    for instrument in case.instruments:
        await instruments.save_instrument(ADMIN, instrument)
    await quotes.ingest(first.quotes)
    policy = WIDE | {"slippage": case.slippage, "orders_max": 6, "quote_age_seconds_max": 3600}
    if case.step is None:
        policy["liquidation_pct"] = Decimal("99.4")
    await groups.save_group(MANAGER, name="DEMO", kind="DEMO", currency="USD", deposit=Decimal(100_000), policy=policy)
    return await reloaded(await by_hand() if case.step is None else await bought(case.step))


async def by_hand() -> int:
    account = await admin.create_account(MANAGER, mode="AUDITION", key="k1", group="DEMO")
    await admin.start_by_hand(MANAGER, account)
    return account


async def bought(step: Step) -> int:
    program = await programs.create_program(MANAGER, Draft("One phase", Decimal(0), "USD", (step,)))
    await programs.update_program(MANAGER, program, expected_version=1, status=ProgramStatus.ACTIVE)
    wallet = await wallets.deposit_to_wallet(MANAGER, client="alice", currency="USD", amount=Decimal(1), key="w1")
    _, challenge = await purchases.buy(CLIENT, program, wallet, "k1")
    await settle()
    found: int = await value("select account_id from challenges where id = $1", challenge)
    return found


def the_setup(loaded: LoadedAccount) -> Setup:
    """The same account for the backtest, under its ids."""
    account, catalogue = loaded.account, quote_cache().catalogue
    if loaded.terms is None:
        group = Group("DEMO", GroupKind.DEMO, account.currency, account.starting_balance, account.policy)
        return Setup(group, catalogue, account_id=account.id)
    assert loaded.challenge_id and loaded.phase_id
    setup = Setup.of_phase(loaded.terms, 1, catalogue)
    share = conditions_of(loaded, catalogue).stored_refusals_max
    setup = replace(setup, challenge_id=loaded.challenge_id, phase_id=loaded.phase_id)
    return replace(setup, account_id=account.id, stored_refusals_max=share)


def ended_at(outcome: BacktestResult) -> int | None:
    """The batch at which the account came to an end of its own: the desk goes on to complete, or to liquidate it."""
    ends = [verdict.batch for verdict in outcome.journal.verdicts if verdict.status is ChallengeStatus.PASSED]
    if outcome.journal.liquidations:
        ends += [row.batch for row in outcome.journal.rows if row.kind is Kind.FINDING]
    return ends[-1] if ends else None


async def by_database(account_id: int, batches: Sequence[Batch], plan: Sequence[Submission]) -> list[ActionResult]:
    """Quotes in lock-step, actions through the service, marker and jobs after each."""
    due, results = dict(plan), list[ActionResult]()
    for batch in batches:
        if batch.number > 1:
            await quotes.ingest(batch.quotes)
            await settle()
        if batch.number in due:
            results += await actions.submit(TRADER, account_id, "r1", due[batch.number])
            await settle()
    return results


async def both(url: str, case: Case, plan: list[Submission] | None = None) -> BacktestResult:
    """Play the case on both paths and compare everything; answers the backtest's outcome."""
    batches = backtest.tape(case.quotes, Catalogue({one.symbol: one for one in case.instruments}, {}))
    loaded = await opened(url, case, batches[0])
    setup = replace(the_setup(loaded), brand="acme")
    plan = a_plan(case, batches) if plan is None else plan
    outcome = backtest.run(setup, batches, plan)
    if last := ended_at(outcome):
        plan = [one for one in plan if one[0] <= last]  # what comes later the desk refuses in other words
        outcome = backtest.run(setup, batches, plan)
    assert await by_database(loaded.account.id, batches, plan) == outcome.results
    await compare(outcome)
    await books_hold()
    return outcome


async def compare(outcome: BacktestResult) -> None:
    """The account, and each table that an account's doings end up in."""
    account, journal = outcome.account, outcome.journal
    stored = (await reloaded(account.id)).account
    ledger = await table("ledger", "seq")
    made, beyond = ledger[: len(journal.rows)], ledger[len(journal.rows) :]
    assert made == like(made, journal.rows)
    assert {row["kind"] for row in beyond} <= AFTER_THE_BACKTEST
    if not beyond:
        assert stored == account
    figures = ("cash", "equity", "realised", "fees", "unrealised", "high_watermark", "positions", "orders", "phase")
    assert [getattr(stored, name) for name in figures] == [getattr(account, name) for name in figures]
    for name, order, happened in (
        ("orders", "seq", [journal.orders[key] for key in sorted(journal.orders)]),
        ("fills", "seq", journal.fills),
        ("positions", "seq", [journal.positions[key] for key in sorted(journal.positions)]),
        ("days", "number", [journal.days[key] for key in sorted(journal.days)]),
        ("metrics", "batch, market_time", journal.metrics),
        ("breaches", "ledger_seq, id", journal.findings),
    ):
        found = await table(name, order)
        assert found == like(found, happened), name
    phases = await rows("select status, end_reason, ended_at from challenge_phases")
    verdicts: list[tuple[object, ...]] = [
        (verdict.status.value, verdict.rule, verdict.market_time) for verdict in journal.verdicts
    ]
    running = [(ChallengeStatus.ACTIVE, None, None)] if account.phase else []
    assert [tuple(phase.values()) for phase in phases] == (verdicts or running)


def like(found: Sequence[dict[str, Any]], happened: Sequence[Any]) -> list[dict[str, Any]]:
    """What happened, as rows with the columns of those found."""
    return [{name: getattr(one, name) for name in (found[0] if found else {})} for one in happened]


async def reloaded(account_id: int) -> LoadedAccount:
    async with read_connection() as conn:
        [loaded] = (await accounts.load_accounts(conn, [account_id])).all_accounts
    return loaded


async def table(name: str, order: str) -> list[dict[str, Any]]:
    """The rows of a table in the words of the domain."""
    found = await rows(f"select * from {name} order by {order}")
    for row in found:
        for column in ("recorded_at", "terms_hash", "id", "status" if name == "positions" else ""):
            row.pop(column, None)
        owner = row.pop("account_id", None)
        if name in ("ledger", "orders", "fills"):
            row["account"] = owner
        for column in row.keys() & {"facts", "outcome", "derivation"}:
            row[column] = json.loads(row[column])
        if name == "breaches":
            row["marks"] = tuple(json.loads(row["marks"]))
    return found


@pytest.mark.parametrize(
    ("step", "ends"),
    [(LENIENT, []), (STRICT, [Rule.MAX_TOTAL_LOSS]), (EASY, [Rule.PROFIT_TARGET])],
    ids=["never", "failed", "passed"],
)
async def test_a_generated_tape_gives_the_same_on_both_paths(database: str, step: Step, ends: list[Rule]) -> None:
    outcome = await both(database, a_case(step, seed=3))
    journal = outcome.journal
    assert [verdict.rule for verdict in journal.verdicts] == ends
    assert journal.findings, "a limit that does not fail is broken on each of these"
    assert {result.status for result in outcome.results} == set(ActionStatus)
    if not ends:
        assert {day.number for day in journal.days.values()} == {1, 2, 3}
        filled = {order.type for order in journal.orders.values() if order.status is OrderStatus.FILLED}
        assert filled == set(OrderType)


async def test_a_day_that_is_closed_gives_the_same_on_both_paths(database: str) -> None:
    outcome = await both(database, a_case(CLOSED, seed=3))
    assert {finding.consequence for finding in outcome.journal.findings} == {"CLOSE_DAY"}
    assert "CLOSE_DAY" in {order.reason for order in outcome.journal.orders.values()}


async def test_an_account_without_a_challenge_ends_the_same_on_both_paths(database: str) -> None:
    outcome = await both(database, a_case(None, seed=3))
    assert outcome.journal.liquidations
    assert "LIQUIDATION" in {order.reason for order in outcome.journal.orders.values()}


async def test_two_recorded_days_give_the_same_on_both_paths(
    database: str, recorded_quotes: Callable[[str], Path]
) -> None:
    start, minutes = datetime(2014, 5, 1, tzinfo=UTC), 30
    taken = [
        Quote(row.symbol, Decimal(row.bid), Decimal(row.ask), row.time)
        for batch in quotefile.batches(recorded_quotes("fx_1m.csv.gz"))
        for row in batch.rows
        if start <= row.time < start + timedelta(days=2) and row.time.minute % minutes == 0
    ]
    traded = [
        Instrument("EURUSD", "EUR", "USD", 5, Decimal(1), Decimal(1000)),
        Instrument("NZDUSD", "NZD", "USD", 5, Decimal(1), Decimal(1000)),
        Instrument("XAUUSD", "XAU", "USD", 3, Decimal("0.01"), Decimal(1)),
    ]
    outcome = await both(database, Case(traded, LENIENT, taken, seed=7))
    assert {day.number for day in outcome.journal.days.values()} == {1, 2}
    statuses = {order.status for order in outcome.journal.orders.values()}
    assert statuses >= {OrderStatus.FILLED, OrderStatus.CANCELLED}


async def test_protection_and_resting_exits_are_the_same_on_both_paths(database: str) -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    mids = ("1.1000", "1.1010", "1.1020", "1.1060", "1.0990", "1.0960", "1.0960")
    tape = [a_quote("EURUSD", mid, at + timedelta(minutes=n), "0.0002") for n, mid in enumerate(mids)]
    traded = [Instrument("EURUSD", "EUR", "USD", 5, Decimal(1), Decimal(1000))]

    def act(name: str, verb: str, **given: str) -> Action:
        return Action("r1", name, verb, "EURUSD", "LONG", **given)

    plan: list[Submission] = [
        (1, [act("a", "OPEN", quantity="10000", stop_loss="1.09"), act("b", "PROTECT", take_profit="1.12")]),
        (2, [act("c", "PROTECT", stop_loss="1.0985", fraction="0.4"), act("d", "PROTECT", take_profit="NONE")]),
        (
            3,
            [
                act("e", "REDUCE", order="LIMIT", price="1.105", quantity="3000"),
                act("f", "PROTECT", stop_loss="1.0987"),
            ],
        ),
        (4, [act("g", "CLOSE", order="STOP", price="1.097"), act("f", "PROTECT", stop_loss="1.0987")]),
    ]
    outcome = await both(database, Case(traded, LENIENT, tape), plan)
    assert [(fill.verb, int(fill.quantity)) for fill in outcome.journal.fills] == [
        ("OPEN", 10000), ("REDUCE", 3000), ("REDUCE", 4000), ("CLOSE", 3000),
    ]  # fmt: skip


async def test_a_share_of_refusals_is_the_same_on_both_paths(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.conditions.settings", lambda: settings().replace(stored_refusals_day_max=2))
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    tape = [a_quote("EURUSD", "1.1", at + timedelta(hours=n)) for n in (0, 1, 24)]
    traded = [Instrument("EURUSD", "EUR", "USD", 5, Decimal(1), Decimal(1000))]
    plan: list[Submission] = [
        (batch, [Action("r1", f"{batch}{name}", "HOLD", "EURUSD", "LONG") for name in "abc"]) for batch in (1, 2, 3)
    ]
    outcome = await both(database, Case(traded, LENIENT, tape), plan)
    assert [result.seq is not None for result in outcome.results] == [True, True, *[False] * 4, True, True, False]
