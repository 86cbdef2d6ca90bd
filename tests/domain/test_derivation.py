"""Independent derivation of every verdict from the terms as sold, the ledger and the quotes.

`derive` shares nothing with the desk but what is published: the terms' text, the ledger's rows, and the quotes.
"""

import csv
import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain import days, execution, fold
from domain.accounts import Account, Journal
from domain.calendar import Calendar
from domain.execution import Moment
from domain.ledger import Row
from domain.orders import Action
from domain.quotes import Batch, Quote
from domain.terms import (
    Consequence,
    Enforcement,
    Measured,
    PercentOf,
    PhaseTerms,
    PositionsLimit,
    Reference,
    Touch,
    TradingDay,
    Trail,
    to_text,
)
from tests.domain.builders import (
    INITIAL,
    a_funded_phase,
    a_limit,
    a_phase_terms,
    a_policy,
    a_program,
    a_target,
    a_total_limit,
    an_account,
)
from tests.domain.desk_builders import conditions, deposited

ZONE, STARTS = "Europe/Prague", time(17)
WIDE = a_policy(
    notional_max=Decimal(10_000_000), leverage_max=Decimal(100), position_equity_pct_max=Decimal(10_000),
    liquidation_pct=Decimal(0), fee_bps=Decimal("0.5"),
)  # fmt: skip

Told = tuple[str, int, int, Decimal, Decimal]
"""Rule, day, batch, level, observed."""


# What the desk does.


def played(terms: PhaseTerms, tape: Sequence[Batch], seed: int) -> Journal:
    """A trader who opens and closes at random, until the tape or the phase ends."""
    chance, calendar = random.Random(seed), Calendar(ZONE, STARTS)
    account, journal = deposited(an_account(policy=WIDE, marked_through=1, marked_at=tape[0].market_time))
    account = days.begin(
        account, phase_id=11, challenge_id=7, index=1, initial_balance=INITIAL, calendar=calendar,
        at=tape[0].market_time, journal=journal,
    )  # fmt: skip
    its, market = conditions(terms, calendar=calendar), {quote.symbol: quote for quote in tape[0].quotes}
    for batch in tape[1:]:
        account = fold.catch_up(account, market, [batch], its, journal)
        market = market | {quote.symbol: quote for quote in batch.quotes}
        if account.phase and account.phase.running and chance.random() < 0.02:
            account = _act(account, chance, Moment(market, batch.market_time, batch.number), its, journal)
    return journal


def _act(account: Account, chance: random.Random, moment: Moment, its: Any, journal: Journal) -> Account:
    verb = "CLOSE" if account.positions and chance.random() < 0.5 else "OPEN"
    side = next(iter(account.positions))[1] if verb == "CLOSE" else chance.choice(("LONG", "SHORT"))
    size = {} if verb == "CLOSE" else {"quantity": f"{chance.randint(2, 20)}00000"}
    action = Action("r", str(moment.batch), verb, "EURUSD", side, **size)
    return execution.submit(account, [action], {}, moment, its, journal)[0]


# What a stranger does.


def eight(value: Decimal) -> Decimal:
    return value.quantize(Decimal("1e-8"), ROUND_HALF_EVEN)


@dataclass
class Books:
    """An account as its ledger and the quotes tell it."""

    cash: Decimal = INITIAL
    held: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)  # quantity and cost
    price: Decimal = Decimal(0)

    @property
    def equity(self) -> Decimal:
        return self.cash + sum(
            (eight(quantity * self.price) - eight(cost)) * (1 if side == "LONG" else -1)
            for (_, side), (quantity, cost) in self.held.items()
        )

    def book(self, fill: Row) -> None:
        key, quantity = (fill.facts["symbol"], fill.facts["side"]), Decimal(fill.facts["quantity"])
        self.cash += fill.amount
        if fill.facts["verb"] == "CLOSE":
            del self.held[key]
        else:
            self.held[key] = quantity, quantity * Decimal(fill.facts["price"])


def boundary(day: date) -> datetime:
    return datetime.combine(day, STARTS, ZoneInfo(ZONE)).astimezone(UTC)


def boundaries(after: datetime) -> Iterator[datetime]:
    day = after.date() - timedelta(days=1)
    while True:
        day += timedelta(days=1)
        if boundary(day) > after:
            yield boundary(day)


def is_traded(terms: dict[str, Any], result: Decimal, before: bool, fill: Row) -> bool:
    """Is it a trading day after the fill?"""
    kind = terms.get("trading_day", "FILL")
    if kind == "MOVED":
        return abs(result) >= eight(INITIAL * Decimal(terms["trading_day_pct"]) / 100)
    return before or kind == "FILL" or fill.facts["verb"] == "OPEN"


LOSSES = {"MAX_TOTAL_LOSS": "total_loss", "MAX_DAILY_LOSS": "daily_loss", "MAX_DAILY_PROFIT": "daily_profit"}


def levels(terms: dict[str, Any], start: tuple[Decimal, Decimal], peaks: dict[str, Decimal]) -> Iterator[Any]:
    """Rule, its terms, the level, and whether it is a ceiling."""
    for rule, name in LOSSES.items():
        limit = terms[name]
        if rule == "MAX_TOTAL_LOSS":
            counted = max(INITIAL, peaks.get(limit["trail"], INITIAL))
        else:
            counted = {"BALANCE": start[0], "EQUITY": start[1], "HIGHER": max(start)}[limit["reference"]]
        base = {"INITIAL": INITIAL, "REFERENCE": counted, "DAY_START_BALANCE": start[0]}[limit["percent_of"]]
        way = eight(base * Decimal(limit["pct"]) / 100) if limit["amount"] is None else Decimal(limit["amount"])
        level = counted + way if rule == "MAX_DAILY_PROFIT" else counted - way
        if limit["lock_at"] is not None:
            level = min(level, max(INITIAL + Decimal(limit["lock_at"]), INITIAL - way))
        if Decimal(limit["pct"]) > 0 or limit["amount"] is not None:
            yield rule, limit, level, rule == "MAX_DAILY_PROFIT"


def broken(
    terms: dict[str, Any], books: Books, start: tuple[Decimal, Decimal], peaks: dict[str, Decimal]
) -> Iterator[tuple[bool, str, Decimal, Decimal]]:
    """Whether it fails, the rule, its level and the figure seen, of every limit that does not hold."""
    equity, cash = books.equity, books.cash
    for rule, limit, level, ceiling in levels(terms, start, peaks):
        seen = {"EQUITY": equity, "BALANCE": cash, "LOWER": min(equity, cash)}[limit["measured"]]
        room = level - seen if ceiling else seen - level
        if room < 0 or (room == 0 and limit["touch"] == "REACHED"):
            yield limit["consequence"] == "FAIL", rule, level, seen
    most, count, crowd = terms["max_positions"], len(books.held), terms.get("positions", {"enforced": "GATE"})
    if crowd["enforced"] == "BREACH" and 0 < most < count:
        yield crowd["consequence"] == "FAIL", "MAX_POSITIONS", Decimal(most), Decimal(count)


def derive(text: str, ledger: Sequence[Row], tape: Sequence[Batch]) -> tuple[list[Told], tuple[str, str] | None]:
    """Every finding, and status and rule of the end."""
    terms, books, found = json.loads(text)["phases"][0], Books(), list[Told]()
    ends, day, traded, traded_today, last = boundaries(tape[0].market_time), 1, 0, False, 1
    ending, start = next(ends), (INITIAL, INITIAL)
    peaks = dict.fromkeys(("TRAIL_INTRADAY", "TRAIL_BALANCE", "TRAIL_END_OF_DAY"), INITIAL)
    fills: dict[int, list[Row]] = {}
    for row in ledger:
        if row.kind == "fill":
            fills.setdefault(row.batch, []).append(row)

    def judge(batch: int) -> tuple[str, str] | None:
        told = {finding[:2] for finding in found}
        for fails, rule, level, seen in sorted(broken(terms, books, start, peaks), key=lambda one: one[0]):
            if (rule, day) not in told:
                found.append((rule, day, batch, level, seen))
                if fails:
                    return "FAILED", rule
        target = INITIAL + eight(INITIAL * Decimal(terms["profit_target"]["pct"]) / 100)
        won = terms["type"] == 0 and target > INITIAL and min(books.equity, books.cash) >= target
        return ("PASSED", "PROFIT_TARGET") if won and traded >= terms["min_trading_days"] else None

    for batch in tape[1:]:
        while batch.market_time >= ending:
            counts = {
                "DURATION": (terms["duration_days"], day),
                "MAX_TRADING_DAYS": (terms["max_trading_days"], traded),
            }
            idle = {"INACTIVITY": (terms["inactivity_days"], day - last)}
            for rule, (most, done) in ({**counts, **idle} if terms["type"] == 0 else idle).items():
                if 0 < most <= done:
                    return [*found, (rule, day, batch.number, Decimal(most), Decimal(done))], ("FAILED", rule)
            for rule, (most, done) in counts.items():
                if terms["type"] == 1 and 0 < most <= done:
                    return found, ("PASSED", rule)
            day, ending, start, traded_today = day + 1, next(ends), (books.cash, books.equity), False
            by = terms["total_loss"].get("trail_by", "BALANCE")
            closed = {"BALANCE": books.cash, "EQUITY": books.equity, "HIGHER": max(books.cash, books.equity)}[by]
            peaks["TRAIL_END_OF_DAY"] = max(peaks["TRAIL_END_OF_DAY"], closed)
            if end := judge(batch.number):
                return found, end
        books.price = (batch.quotes[0].bid + batch.quotes[0].ask) / 2
        for fill in [None, *fills.get(batch.number, [])]:
            if fill is not None:
                books.book(fill)
                now = is_traded(terms, books.cash - start[0], traded_today, fill)
                traded, traded_today, last = traded + now - traded_today, now, day
            peaks["TRAIL_INTRADAY"] = max(peaks["TRAIL_INTRADAY"], books.equity)
            peaks["TRAIL_BALANCE"] = max(peaks["TRAIL_BALANCE"], books.cash)
            if end := judge(batch.number):
                return found, end
    return found, None


# Both, side by side.


def wandering(seed: int = 3) -> list[Batch]:
    """Nine days of a price that wanders, a quote every few minutes; in one of the nights Prague's clocks change."""
    chance, price, at, tape = random.Random(seed), Decimal("1.10000"), datetime(2026, 3, 25, 9, tzinfo=UTC), []
    for number in range(1, 2001):
        price += Decimal(chance.randint(-60, 60)) / 100_000
        at += timedelta(seconds=chance.randint(1, 780))
        tape.append(Batch(number, at, (Quote("EURUSD", price, price + Decimal("0.00012"), at),)))
    return tape


def recorded(path: Path) -> list[Batch]:
    """Every eighth minute of the recorded EURUSD, two weekends among them."""
    with gzip.open(path, "rt") as lines:
        rows = [row for row in csv.DictReader(lines) if row["symbol"] == "EURUSD"][::8]
    tape = []
    for number, row in enumerate(rows, 1):
        at = datetime.fromtimestamp(int(row["ts_utc_ms"]) / 1000, UTC)
        tape.append(Batch(number, at, (Quote("EURUSD", Decimal(row["bid"]), Decimal(row["ask"]), at),)))
    return tape


WARN, PAUSE = Consequence.WARN, Consequence.PAUSE_DAY
FREE = {"daily_loss": a_limit(), "total_loss": a_total_limit(), "profit_target": a_target("900")}
SOLD: dict[str, PhaseTerms] = {
    "the source's": a_phase_terms(),
    "a tight day": a_phase_terms(daily_loss=a_limit("1")),
    "a day of its balance": a_phase_terms(
        daily_loss=a_limit("1", reference=Reference.HIGHER, measured=Measured.LOWER, touch=Touch.REACHED)
    ),
    "warned every day": a_phase_terms(
        **FREE | {"daily_loss": a_limit("0.5", consequence=WARN)}, daily_profit=a_limit("0.5", consequence=PAUSE)
    ),
    "trails equity": a_phase_terms(**FREE | {"total_loss": a_total_limit("4", trail=Trail.TRAIL_INTRADAY)}),
    "trails the balance and stops": a_phase_terms(
        **FREE | {"total_loss": a_total_limit("3", trail=Trail.TRAIL_BALANCE, lock_at=Decimal(0))}
    ),
    "trails the day's end": a_phase_terms(
        **FREE | {"total_loss": a_total_limit(amount=Decimal(1000), trail=Trail.TRAIL_END_OF_DAY, consequence=WARN)}
    ),
    "trails the equity of the day's end": a_phase_terms(
        **FREE
        | {"total_loss": a_total_limit("1", trail=Trail.TRAIL_END_OF_DAY, trail_by=Reference.EQUITY, consequence=WARN)}
    ),
    "trails the higher of both": a_phase_terms(
        **FREE
        | {"total_loss": a_total_limit("1", trail=Trail.TRAIL_END_OF_DAY, trail_by=Reference.HIGHER, consequence=WARN)}
    ),
    "a share of the day's balance": a_phase_terms(
        **FREE | {"daily_loss": a_limit("0.7", percent_of=PercentOf.DAY_START_BALANCE, consequence=WARN)}
    ),
    "wins": a_phase_terms(**FREE | {"profit_target": a_target("1")}, min_trading_days=2),
    "time runs out": a_phase_terms(**FREE, duration_days=4),
    "days run out": a_phase_terms(**FREE, max_trading_days=3),
    "days with an opening run out": a_phase_terms(**FREE, max_trading_days=4, trading_day=TradingDay.OPENED),
    "days that have moved run out": a_phase_terms(
        **FREE, max_trading_days=3, trading_day=TradingDay.MOVED, trading_day_pct=Decimal("0.2")
    ),
    "too many positions": a_phase_terms(
        **FREE, max_positions=1, positions=PositionsLimit(Enforcement.BREACH, Consequence.CLOSE_DAY)
    ),
    "idle": a_phase_terms(**FREE, inactivity_days=1),
    "funded": a_funded_phase(index=1, duration_days=3, daily_loss=a_limit("90"), total_loss=a_total_limit("90")),
}


@pytest.mark.parametrize("source", ["a price that wanders", "recorded quotes"])
def test_every_verdict_is_derived_again_by_a_stranger(source: str, recorded_quotes: Callable[[str], Path]) -> None:
    tape = wandering() if source.startswith("a") else recorded(recorded_quotes("fx_1m.csv.gz"))
    ends, rules = set(), set[str]()
    for n, (name, terms) in enumerate(SOLD.items()):
        journal = played(terms, tape, seed=n)
        text = to_text(a_program(phases=(terms,), zone=ZONE, day_start=STARTS))
        found, end = derive(text, journal.rows, tape)
        told = [(f.rule, f.day, f.batch, f.floor, f.observed) for f in journal.findings]
        assert told == found, name
        assert all(journal.rows[f.ledger_seq - 1].hash == f.ledger_hash for f in journal.findings), name
        assert [(v.status.name, v.rule) for v in journal.verdicts] == ([end] if end else []), name
        ends.add(end and end[0])
        rules |= {finding[0] for finding in found}
    assert ends == {"PASSED", "FAILED", None}
    assert rules >= {"MAX_DAILY_LOSS", "MAX_TOTAL_LOSS", "MAX_DAILY_PROFIT", "DURATION", "MAX_TRADING_DAYS"}
