"""One builder a noun: a plain example whose every field a test may change."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from domain.accounts import Account, Mode, PhaseRun
from domain.arithmetic import COLUMN, DECIMAL
from domain.columnar.fixed_point import units
from domain.instruments import Catalogue, Currency, Instrument, InstrumentKind
from domain.ledger import GENESIS, Facts, Kind, Row, canonical, chain
from domain.lifecycles import AccountStatus, ChallengeStatus, OrderStatus
from domain.limit_levels import LevelFigures
from domain.orders import Action, Order, OrderType, Verb
from domain.positions import Position, Side
from domain.quotes import Batch, Quote
from domain.rule_table import LEVEL_RULE, Rule
from domain.terms import (
    Group,
    GroupKind,
    Limit,
    Measured,
    PercentOf,
    PhaseTerms,
    PhaseType,
    Policy,
    Terms,
    Touch,
)

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)  # the boundary after NOON
INITIAL = Decimal(100_000)


def a_policy(**changes: Any) -> Policy:
    return replace(Policy(), **changes)


def a_group(**changes: Any) -> Group:
    return replace(Group("PROP_DEMO_USD", GroupKind.DEMO, "USD", INITIAL), **changes)


def a_limit(pct: str = "0", **changes: Any) -> Limit:
    """A loss or daily profit limit in percent, with the defaults of the daily ones."""
    return replace(Limit(pct=Decimal(pct)), **changes)


def a_total_limit(pct: str = "0", **changes: Any) -> Limit:
    return replace(Limit(pct=Decimal(pct), percent_of=PercentOf.INITIAL), **changes)


def a_target(pct: str = "8", **changes: Any) -> Limit:
    target = Limit(pct=Decimal(pct), percent_of=PercentOf.INITIAL, measured=Measured.LOWER, touch=Touch.REACHED)
    return replace(target, **changes)


def level_of(rule: Rule, limit: Limit, initial: Decimal = Decimal(100_000), **figures: Decimal) -> Decimal:
    """The rule's level, derived for one account and in a column, which must agree; other figures are the initial."""
    derive = LEVEL_RULE[rule].derive
    amounts = dict.fromkeys(LevelFigures._fields, initial) | {"day_withdrawn": Decimal(0)} | figures
    level = derive(limit, LevelFigures(**amounts), DECIMAL).level
    columns = LevelFigures(**{name: np.array([units(amount)] * 2) for name, amount in amounts.items()})
    assert (derive(limit, columns, COLUMN).level == [units(level)] * 2).all()
    return level


def a_phase_terms(**changes: Any) -> PhaseTerms:
    """An evaluation: 5 % a day, 10 % in all, 8 % to win."""
    terms = PhaseTerms(
        index=1,
        type=PhaseType.EVALUATION,
        name="Evaluation",
        group=a_group(),
        daily_loss=a_limit("5"),
        total_loss=a_total_limit("10"),
        profit_target=a_target("8"),
    )
    return replace(terms, **changes)


def a_funded_phase(**changes: Any) -> PhaseTerms:
    """The last phase: no target, 80 % of the profit to the trader."""
    funded = a_phase_terms(
        index=2,
        type=PhaseType.FUNDED,
        name="Funded",
        group=a_group(name="PROP_REAL_USD", kind=GroupKind.REAL),
        profit_target=a_target("0"),
        profit_split=Decimal("0.8"),
    )
    return replace(funded, **changes)


def a_program(**changes: Any) -> Terms:
    terms = Terms(
        program_id=1,
        program_version=1,
        name="Two steps",
        price=Decimal(499),
        price_currency="USD",
        zone="UTC",
        day_start=time(0),
        phases=(a_phase_terms(), a_funded_phase()),
    )
    return replace(terms, **changes)


def a_phase_run(**changes: Any) -> PhaseRun:
    """The starting day of a phase, nothing traded yet."""
    run = PhaseRun(
        id=11,
        challenge_id=7,
        index=1,
        status=ChallengeStatus.ACTIVE,
        initial_balance=INITIAL,
        started_at=NOON,
        day=1,
        day_date=MONDAY,
        day_ends_at=MIDNIGHT,
        day_start_balance=INITIAL,
        day_start_equity=INITIAL,
        day_low=INITIAL,
        day_high=INITIAL,
        peak_equity=INITIAL,
        peak_balance=INITIAL,
        peak_end_of_day=INITIAL,
    )
    return replace(run, **changes)


def an_account(**changes: Any) -> Account:
    """A funded, active account without a challenge."""
    account = Account(
        id=1001,
        brand="acme",
        currency="USD",
        mode=Mode.EVALUATION,
        status=AccountStatus.ACTIVE,
        policy=a_policy(),
        starting_balance=INITIAL,
        cash=INITIAL,
        high_watermark=INITIAL,
    )
    return replace(account, **changes)


def a_challenger(balance: str = "100000", equity: str | None = None, **run: Any) -> Account:
    """An account whose phase runs, at a balance and an equity; `run` changes the phase."""
    cash = Decimal(balance)
    unrealised = Decimal(0) if equity is None else Decimal(equity) - cash
    return an_account(cash=cash, unrealised=unrealised, phase=a_phase_run(**run))


def a_position(quantity: str = "0", cost_basis: str = "0", **changes: Any) -> Position:
    position = Position(3, "EURUSD", Side.LONG, NOON, Decimal(quantity), Decimal(cost_basis))
    return replace(position, **changes)


def a_quote(bid: str = "1.10000", ask: str = "1.10020", **changes: Any) -> Quote:
    return replace(Quote("EURUSD", Decimal(bid), Decimal(ask), NOON), **changes)


def a_batch(number: int = 1, *quotes: Quote, at: datetime | None = None) -> Batch:
    """A batch whose market time is a second later with every number, unless told."""
    return Batch(number, at or NOON + timedelta(seconds=number), quotes)


def an_instrument(symbol: str = "EURUSD", **changes: Any) -> Instrument:
    instrument = Instrument(symbol, symbol[:3], symbol[3:], 5, Decimal("0.01"), Decimal("0.01"))
    return replace(instrument, **changes)


US30 = Instrument(
    "US30.cash", None, "USD", 2, Decimal("0.01"), Decimal("0.01"), InstrumentKind.INDEX, Decimal(5), ("DJ30", "US30")
)


def a_catalogue(*symbols: str) -> Catalogue:
    """Instruments named by their two currencies, or US30.cash, which has no base; USD and USDC are at par."""
    currencies = (Currency("USD", 2, "USD"), Currency("USDC", 2, "USD"), Currency("EUR", 2, "EUR"))
    instruments = {symbol: an_instrument(symbol) for symbol in symbols or ("EURUSD",)}
    instruments |= {symbol: US30 for symbol in symbols if symbol == US30.symbol}
    return Catalogue(instruments, {currency.code: currency for currency in currencies})


def an_action(**changes: Any) -> Action:
    return replace(Action("run-1", "action-1", "OPEN", "EURUSD", "LONG", quantity="1000"), **changes)


def an_order(**changes: Any) -> Order:
    """A resting order to open a long at 1.09, below the market; it is named by the ledger's third row."""
    order = Order(
        1001, 3, "EURUSD", Side.LONG, Verb.OPEN, Decimal(1000), OrderStatus.WORKING, "ACTION", NOON, 1,
        action_seq=2, type=OrderType.LIMIT, price=Decimal("1.09"),
    )  # fmt: skip
    return replace(order, **changes)


def a_row(head: bytes = GENESIS, **changes: Any) -> Row:
    """A ledger row whose hash follows `head`."""
    facts: Facts = {"reason": "dépôt", "transfer": 5, "final": False, "note": None}
    row = Row(1001, 2, Kind.DEPOSIT, INITIAL, INITIAL, NOON, 4, facts, b"", "")
    row = row._replace(**changes)
    link = chain(
        head, row.account, row.seq, row.kind, row.amount, row.balance_after, row.market_time, row.batch, row.facts
    )
    return row._replace(hash=link, text=canonical(row.facts))
