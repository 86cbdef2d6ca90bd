"""Voids and recomputations: an account is made to say what the fills that remain come to.

What a correction moves in cash is one ledger row. Prices, rates and quantities stay as they were booked, and so do
ledger rows, day starts, highs, findings and verdicts. A fee may move by one unit of 1e-8: by what rounding carried.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal

from domain import days, valuation, working_orders
from domain.accounts import Account, Journal
from domain.errors import LaterFillsNeedIt
from domain.execution import Moment
from domain.instruments import Catalogue
from domain.ledger import Facts, Kind
from domain.lifecycles import FillStatus, OrderStatus
from domain.money import plain
from domain.orders import Fill, Order
from domain.positions import Position
from domain.replay import Replay, replay
from domain.verdicts import Conditions, judge_account

ORPHANED = "POSITION_VOIDED"  # why an order that lowers exposure is cancelled whose position a void took away

FILL_FIGURES = ("status", "realised", "fee", "position_seq")
POSITION_FIGURES = tuple(field.name for field in fields(Position) if field.name != "seq")


@dataclass(frozen=True, slots=True)
class Books:
    """The stored trading of an account: orders, fills and positions."""

    fills: tuple[Fill, ...]  # booked and void, in order of seq
    positions: Mapping[int, Position]  # open and closed, by seq
    fee_bps: Decimal  # of the account's policy
    transferred: Decimal  # what transfers brought, less what they took
    cash: Decimal  # after the ledger's last row


@dataclass(frozen=True, slots=True)
class CorrectionResult:
    """The figures that the books must have after the correction."""

    replayed: Replay
    fills: dict[int, Fill]  # every one, by seq
    positions: dict[int, Position]  # every one, by seq; first those without a fill left, closed and empty
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure as kept and as the fills give it."""

    what: str
    stored: str
    computed: str


def outcome(books: Books, voided: Collection[int], at: datetime) -> CorrectionResult:
    """Return the books without the voided fills (by seq), `at` the market's time.

    Raises LaterFillsNeedIt naming the fills that would close more than is left.
    """
    booked = (fill for fill in books.fills if fill.status is FillStatus.BOOKED and fill.seq not in voided)
    replayed = replay(booked, books.fee_bps)
    if replayed.uncovered:
        raise LaterFillsNeedIt(fills=" ".join(f"{fill.account}-{fill.seq}" for fill in replayed.uncovered))
    kept = {fill.seq: fill for fill in replayed.fills}
    fills = {fill.seq: kept.get(fill.seq) or replace(fill, status=FillStatus.VOID) for fill in books.fills}
    emptied = {seq: _emptied(p, at) for seq, p in books.positions.items() if seq not in replayed.positions}
    cash = books.transferred + replayed.realised - replayed.fees
    return CorrectionResult(replayed, fills, emptied | replayed.positions, cash)


def _emptied(position: Position, at: datetime) -> Position:
    """Return the position after all of its fills were voided."""
    closed = position.closed_at or at
    return Position(position.seq, position.symbol, position.side, position.opened_at, closed_at=closed)


def differences(
    account: Account, books: Books, computed: CorrectionResult, moment: Moment, catalogue: Catalogue
) -> list[Difference]:
    """Return every figure that is kept otherwise than the fills give it."""
    replayed = computed.replayed
    marked = replace(account, positions=replayed.holdings)
    figures: list[tuple[str, object, object]] = [
        ("cash", account.cash, computed.cash),
        ("ledger balance", books.cash, computed.cash),
        ("realised", account.realised, replayed.realised),
        ("fees", account.fees, replayed.fees),
        ("unrealised", account.unrealised, valuation.unrealised(marked, moment.market, catalogue)),
    ]
    for fill in books.fills:
        now = computed.fills[fill.seq]
        figures += [(f"fill {fill.seq} {name}", getattr(fill, name), getattr(now, name)) for name in FILL_FIGURES]
    for seq, position in sorted(computed.positions.items()):
        kept = books.positions.get(seq)
        figures += [
            (f"position {seq} {name}", getattr(kept, name, None), getattr(position, name)) for name in POSITION_FIGURES
        ]
    return [Difference(what, _text(kept), _text(now)) for what, kept, now in figures if kept != now]


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return "none" if value is None else str(value)


def correct(
    account: Account,
    books: Books,
    computed: CorrectionResult,
    voided: Collection[Order],
    why: Facts,
    moment: Moment,
    conditions: Conditions,
    journal: Journal,
) -> Account:
    """Make the account and its books say what was computed, and judge it; `voided` are the voided fills' orders."""
    _write(account, books, computed, voided, journal)
    replayed = computed.replayed
    account = journal.append(
        replace(account, cash=books.cash),
        Kind.CORRECTION,
        moment.at,
        moment.batch,
        why | _facts(account, books, computed, voided),
        computed.cash - books.cash,
        realised=replayed.realised,
        fees=replayed.fees,
        positions=replayed.holdings,
    )
    orphans = [
        o.seq for o in account.orders.values() if not o.verb.adds and (o.symbol, o.side) not in account.positions
    ]
    account = working_orders.cancel(account, orphans, ORPHANED, moment.at, moment.batch, journal)
    account = replace(account, unrealised=valuation.unrealised(account, moment.market, conditions.catalogue))
    account = days.recount(days.observe(account), conditions.terms)
    judged = account.phase or books.fills
    return judge_account(account, moment.market, conditions, journal, moment.at) if judged else account


def _write(
    account: Account, books: Books, computed: CorrectionResult, voided: Collection[Order], journal: Journal
) -> None:
    """Note every row that changes; positions that close before those that open again, of which one may be open."""
    journal.corrected += [computed.fills[fill.seq] for fill in books.fills if computed.fills[fill.seq] != fill]
    for seq, position in computed.positions.items():
        if position != books.positions.get(seq):
            journal.positions[account.id, seq] = position
    for order in voided:
        journal.orders[account.id, order.seq] = replace(order, status=OrderStatus.VOID)


def _facts(account: Account, books: Books, computed: CorrectionResult, voided: Collection[Order]) -> Facts:
    named = {order.seq for order in voided}
    fills = [fill for fill in books.fills if fill.order_seq in named]
    return {
        "voided_fills": " ".join(str(fill.seq) for fill in fills),
        "voided_orders": " ".join(str(fill.order_seq) for fill in fills),
        "realised_before": plain(account.realised),
        "realised": plain(computed.replayed.realised),
        "fees_before": plain(account.fees),
        "fees": plain(computed.replayed.fees),
    }
