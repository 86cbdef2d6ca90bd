"""The run of a phase computed again without void quotes, up to the verdict it ended with.

What was traded stays as it was booked, but for fills at void quotes. The fold marks and judges the account by every
other quote; what is still open at the verdict is closed at the last good ones, without a fee. A run that goes on from
there begins flat, with the figures and the day that this gives; its phase's clock stood still meanwhile.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain import adjustments, days, fold, payouts
from domain.accounts import Account, Day, Journal
from domain.calendar import Calendar
from domain.corrections import Difference
from domain.errors import StillBroken
from domain.ledger import Facts, Kind
from domain.lifecycles import ChallengeStatus
from domain.money import ZERO, plain
from domain.orders import Fill
from domain.positions import Position
from domain.quotes import Batch, Quote
from domain.replay import book_again
from domain.rule_table import run_of
from domain.terms import Consequence
from domain.valuation import symbols_of, symbols_that_move, unrealised
from domain.verdicts import Conditions, judge_account
from domain.voids import Span, is_void

MONEY = (
    "initial_balance", "day_start_balance", "day_start_equity", "day_low", "day_high", "peak_equity", "peak_balance",
    "peak_end_of_day", "day_withdrawn", "best_day_profit",
)  # fmt: skip
COUNTS = ("day", "day_traded", "days_traded", "days_profitable", "last_fill_day")


class BulkOutcome(StrEnum):
    """The result for one challenge of a bulk reinstatement."""

    PENDING = "PENDING"
    REINSTATED = "REINSTATED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking of a run: a fill, or the ledger row of a payout or an adjustment."""

    seq: int
    at: datetime
    batch: int
    fill: Fill | None = None
    triggered: bool = False  # the fill of a resting order, of which those of one batch are judged together
    kind: Kind = Kind.FILL
    amount: Decimal = ZERO
    facts: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Recomputation:
    """A run as it stands at its verdict without void quotes: flat, and running. `left_out` has seqs of fills."""

    account: Account
    days: Mapping[tuple[int, int], Day]
    left_out: tuple[int, ...]


def in_groups(bookings: Iterable[Booking]) -> list[list[Booking]]:
    """Return the bookings in order, those together that are judged together."""
    groups: list[list[Booking]] = []
    for one in bookings:
        last = groups[-1][-1] if groups else None
        if last and last.triggered and one.triggered and (last.batch, last.at) == (one.batch, one.at):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


class Rerun:
    """A run that is computed again from its bookings and good quotes; the caller supplies the quotes."""

    def __init__(self, account: Account, conditions: Conditions, spans: Collection[Span]) -> None:
        self.account, self.conditions, self.spans = account, conditions, spans
        self.market: dict[str, Quote] = {}
        self.days: dict[tuple[int, int], Day] = {}
        self.left_out: list[int] = []

    @property
    def ended(self) -> bool:
        """Return whether the run has passed; later bookings would not have happened."""
        return not run_of(self.account).running

    @property
    def symbols(self) -> frozenset[str]:
        """The instruments whose quotes move the account."""
        return symbols_that_move(self.account, self.conditions.catalogue, {})

    def symbols_of(self, bookings: Sequence[Booking]) -> frozenset[str]:
        """Return the instruments whose quotes are needed to book these."""
        currency, catalogue = self.account.currency, self.conditions.catalogue
        traded = (symbols_of(one.fill.symbol, currency, catalogue, {}) for one in bookings if one.fill)
        return self.symbols.union(*traded)

    def take(self, batches: Sequence[Batch]) -> None:
        """Mark and judge by batches that have the good quotes of `symbols`. Raises StillBroken."""
        journal = Journal()
        self.account = fold.catch_up(self.account, self.market, batches, self.conditions, journal)
        self.market.update((quote.symbol, quote) for batch in batches for quote in batch.quotes)
        self._keep(journal)

    def advance(self, at: datetime, batch: int) -> None:
        """Advance the clock to a moment at which all valid quotes up to `batch` are applied. Raises StillBroken."""
        journal = Journal()
        account = replace(self.account, marked_through=max(self.account.marked_through, batch))
        account = fold.advance(account, self.market, at, self.conditions, journal)
        self.account = replace(account, marked_at=at)
        self._keep(journal)

    def book(self, bookings: Sequence[Booking], market: Mapping[str, Quote]) -> None:
        """Write a group of bookings at its time; `market` has the valid quotes of that time. Raises StillBroken."""
        self.market.update(market)
        before, journal = self.account, Journal()
        for one in bookings:
            self.account = self._move(one) if one.fill is None else self._fill(one.fill)
        if bookings[0].triggered:
            self.account = days.observe_once(before, self.account)
        self.account = judge_account(self.account, self.market, self.conditions, journal, bookings[-1].at)
        self._keep(journal)

    def _move(self, one: Booking) -> Account:
        """Return the account after a payout or an adjustment."""
        terms, facts = self.conditions.terms, one.facts or {}
        assert terms, "a run has terms"
        account = replace(self.account, cash=self.account.cash + one.amount)
        if one.kind is Kind.ADJUSTMENT:
            counts = facts.get("counts_as_profit") is True
            return days.recount(adjustments.settle(account, one.amount, counts_as_profit=counts), terms)
        if not one.amount:
            return payouts.reset_floor(account, terms)
        return days.observe(payouts.settle_floors(days.transfer(account, one.amount), terms, -one.amount))

    def _fill(self, fill: Fill) -> Account:
        """Return the account after a fill; as it was after one that is left out."""
        account, key = self.account, (fill.symbol, fill.side)
        position = account.positions.get(key)
        if is_void(fill, self.spans) or (position is None and not fill.verb.adds):
            self.left_out.append(fill.seq)
            return account
        if position is None:
            position = Position(fill.position_seq, fill.symbol, fill.side, fill.filled_at)
        elif not fill.verb.adds:
            fill = replace(fill, quantity=min(fill.quantity, position.quantity))  # what opened the rest is left out
        after = book_again(position, fill, account.policy.fee_bps)
        realised, fees = after.realised - position.realised, after.fees - position.fees
        positions = {other: held for other, held in account.positions.items() if other != key}
        account = replace(
            account,
            cash=account.cash + realised - fees,
            realised=account.realised + realised,
            fees=account.fees + fees,
            positions=positions | ({key: after} if after.quantity else {}),
        )
        account = days.mark(account, unrealised(account, self.market, self.conditions.catalogue))
        return days.trade(account, fill.verb, self.conditions.terms)

    def _keep(self, journal: Journal) -> None:
        """Keep the days of a step. Raises StillBroken where it failed the run."""
        self.days |= journal.days
        for finding in journal.findings:
            if run_of(self.account).status is ChallengeStatus.FAILED and finding.consequence == Consequence.FAIL:
                raise StillBroken(
                    "id",
                    rule=finding.rule,
                    level=finding.floor,
                    observed=finding.observed,
                    batch=finding.batch,
                    at=finding.market_time.isoformat(),
                )

    def finish(self) -> Recomputation:
        """Close what is open at the good quotes of now. Raises StillBroken where the balance breaks a limit then."""
        running = replace(run_of(self.account), status=ChallengeStatus.ACTIVE)
        account = replace(
            self.account, cash=self.account.equity, unrealised=ZERO, positions={}, orders={}, phase=running
        )
        account = days.recount(days.observe(account), self.conditions.terms)
        journal, self.account = Journal(), account
        self.account = judge_account(account, self.market, self.conditions, journal)
        self._keep(journal)
        return Recomputation(account, self.days, tuple(self.left_out))


def resume(account: Account, calendar: Calendar, at: datetime) -> Account:
    """The account with its run going on from now: the day of the verdict goes on, and ends at the next boundary."""
    phase = run_of(account)
    ends_at = calendar.next_boundary(at)
    resumed = replace(
        phase,
        started_at=at,
        day_date=calendar.name_of(calendar.day_of(at)),
        day_ends_at=ends_at,
        metric_due_at=at,
    )
    is_blocked = account.blocked_until is not None and account.blocked_until >= phase.day_ends_at
    return replace(account, phase=resumed, blocked_until=ends_at if is_blocked else None, read_only=False)


def run_differences(before: Account, after: Account) -> list[Difference]:
    """Return what a new run begins with, next to what the old one left."""
    old, new = run_of(before), run_of(after)
    figures = [
        Difference("balance", plain(before.cash), plain(after.cash)),
        Difference("high watermark", plain(before.high_watermark), plain(after.high_watermark)),
        *(
            Difference(name.replace("_", " "), _text(getattr(old, name)), _text(getattr(new, name)))
            for name in MONEY + COUNTS
        ),
    ]
    return [one for one in figures if one.stored != one.computed]


def _text(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value).lower()


def to_facts(account: Account) -> Facts:
    """Return the beginning of a continued run as JSON, from which it can be computed again."""
    phase = run_of(account)
    return {
        "cash": plain(account.cash),
        "high_watermark": plain(account.high_watermark),
        "blocked_until": account.blocked_until.isoformat() if account.blocked_until else None,
        **{name: plain(getattr(phase, name)) for name in MONEY},
        **{name: getattr(phase, name) for name in COUNTS},
        "day_date": phase.day_date.isoformat(),
        "day_ends_at": phase.day_ends_at.isoformat(),
        "day_findings": sorted(phase.day_findings),
    }


def of_facts(account: Account, facts: Mapping[str, object], at: datetime, batch: int) -> Account:
    """Return an account at the beginning of its run, with the figures that the run began with."""
    read = {name: Decimal(str(facts[name])) for name in ("cash", "high_watermark", *MONEY)}
    cash, high_watermark = read.pop("cash"), read.pop("high_watermark")
    blocked, findings = facts["blocked_until"], facts["day_findings"]
    assert isinstance(findings, list)
    figures: dict[str, Any] = {**read, **{name: facts[name] for name in COUNTS}}
    phase = replace(
        run_of(account),
        status=ChallengeStatus.ACTIVE,
        started_at=at,
        metric_due_at=at,
        day_date=date.fromisoformat(str(facts["day_date"])),
        day_ends_at=datetime.fromisoformat(str(facts["day_ends_at"])),
        day_findings=frozenset(findings),
        **figures,
    )
    begun = _empty(account, cash, at, batch)
    until = datetime.fromisoformat(str(blocked)) if blocked else None
    return replace(begun, high_watermark=high_watermark, blocked_until=until, phase=phase)


def at_start(account: Account, deposit: Decimal, calendar: Calendar, at: datetime, batch: int) -> Account:
    """Return an account at the beginning of a run that was the first of its phase."""
    phase = run_of(account)
    return days.begin(
        _empty(account, deposit, at, batch),
        phase_id=phase.id,
        challenge_id=phase.challenge_id,
        index=phase.index,
        initial_balance=deposit,
        calendar=calendar,
        at=at,
        journal=Journal(),
    )


def _empty(account: Account, cash: Decimal, at: datetime, batch: int) -> Account:
    """Return the account before its first trade."""
    return replace(
        account,
        cash=cash,
        realised=ZERO,
        fees=ZERO,
        unrealised=ZERO,
        high_watermark=cash,
        read_only=False,
        blocked_until=None,
        positions={},
        orders={},
        marked_through=batch,
        marked_at=at,
    )
