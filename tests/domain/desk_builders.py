"""Quotes, positions and terms for tests of the fold and of the shard: a few symbols, with and without conversion."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from domain import days, valuation
from domain.accounts import Account, Journal
from domain.calendar import Calendar
from domain.execution import Moment
from domain.ledger import Kind
from domain.money import round8
from domain.orders import Order, OrderType, Verb
from domain.positions import Position, Side
from domain.quotes import Batch, Market, Quote
from domain.terms import (
    Consequence,
    Enforcement,
    Limit,
    Measured,
    PercentOf,
    PhaseTerms,
    PhaseType,
    PositionsLimit,
    Reference,
    Slippage,
    Touch,
    TradingDay,
    Trail,
)
from domain.verdicts import Conditions
from tests.domain.builders import (
    INITIAL,
    NOON,
    a_catalogue,
    a_challenger,
    a_funded_phase,
    a_limit,
    a_phase_terms,
    a_policy,
    a_target,
    a_total_limit,
    an_account,
    an_order,
)

BASE = {
    "EURUSD": Decimal("1.10000"),
    "GBPUSD": Decimal("1.30000"),
    "BTCUSDC": Decimal("60000.00"),
    "EURGBP": Decimal("0.84615"),
    "USDJPY": Decimal("150.000"),
    "EURUSDC": Decimal("1.10020"),
    "EURJPY": Decimal("165.000"),
    "US30.cash": Decimal("39000.00"),
    "PEPUSD": Decimal("0.000123456789"),  # of twelve places, its mid of thirteen
}
TICKS = {"PEPUSD": Decimal("1e-12")}
TICK = Decimal("0.00001")
SILENT = {"EURJPY"}  # no quote at NOON: until there is one, yen and euros convert over dollars
CATALOGUE = a_catalogue(*BASE)
CATALOGUE = replace(
    CATALOGUE,
    instruments={**CATALOGUE.instruments, "PEPUSD": replace(CATALOGUE.instruments["PEPUSD"], price_precision=12)},
)
UTC_DAYS = Calendar("UTC", time(0))
HOUR = timedelta(hours=1)


def quoted(symbol: str, move_bps: int = 0, *, at: datetime = NOON, spread: str | None = None) -> Quote:
    """A symbol's base price moved by so many hundredths of a percent; ten ticks wide, or one where it is tiny."""
    bid = near(symbol, move_bps)
    wide = TICKS.get(symbol) or 10 * TICK
    return Quote(symbol, bid, bid + (wide if spread is None else Decimal(spread)), at)


def a_market(at: datetime = NOON, **moves: int) -> dict[str, Quote]:
    """Every symbol but the silent ones quoted at its base price, moved where told."""
    return {symbol: quoted(symbol, moves.get(symbol, 0), at=at) for symbol in BASE if symbol not in SILENT}


def priced(symbol: str, price: str, at: datetime = NOON) -> Quote:
    """A quote without a spread."""
    return Quote(symbol, Decimal(price), Decimal(price), at)


def conditions(terms: PhaseTerms | None = None, **changes: Any) -> Conditions:
    return replace(Conditions(CATALOGUE, HOUR, UTC_DAYS, terms), **changes)


def a_moment(market: Market | None = None, at: datetime = NOON, batch: int = 1) -> Moment:
    return Moment(market or a_market(at), at, batch)


def after(market: Market, batches: Sequence[Batch]) -> Market:
    """The market once the batches have been accepted."""
    known = dict(market)
    for batch in batches:
        known.update((quote.symbol, quote) for quote in batch.quotes)
    return known


def a_holding(symbol: str, side: Side, quantity: str, move_bps: int = 0) -> Position:
    """A position opened at the base price, moved."""
    units = Decimal(quantity)
    return Position(3, symbol, side, NOON, units, units * quoted(symbol, move_bps).mid)


def holding(account: Account, *positions: Position, market: Market | None = None) -> Account:
    """The account with these positions, marked at the market, its highs and lows as they then are."""
    held = {(position.symbol, position.side): position for position in positions}
    account = replace(account, positions=held)
    marked = replace(account, unrealised=valuation.unrealised(account, market or a_market(), CATALOGUE))
    return days.observe(replace(marked, marked_at=NOON))


def deposited(account: Account, amount: Decimal = INITIAL) -> tuple[Account, Journal]:
    """The account with its money paid in, and the history that says so."""
    journal = Journal()
    return journal.append(replace(account, cash=Decimal(0)), Kind.DEPOSIT, NOON, 1, {}, amount), journal


def started(terms: PhaseTerms, **changes: Any) -> tuple[Account, Journal]:
    """A funded account whose phase has just begun."""
    account, journal = deposited(an_account(marked_through=1, marked_at=NOON, **changes))
    account = days.begin(
        account,
        phase_id=11,
        challenge_id=7,
        index=terms.index,
        initial_balance=INITIAL,
        calendar=UTC_DAYS,
        at=NOON,
        journal=journal,
    )
    return account, journal


steps = st.tuples(
    st.sampled_from([timedelta(0), timedelta(seconds=7), timedelta(minutes=9), HOUR * 7, HOUR * 25, HOUR * 63]),
    st.dictionaries(st.sampled_from(list(BASE)), st.integers(-400, 400), max_size=4),
)


@st.composite
def tapes(draw: st.DrawFn, first: int = 1, most: int = 10) -> list[Batch]:
    """Batches from NOON on, in which some symbols move by up to 4 %; hours, days and a weekend may lie between."""
    at, batches = NOON, []
    for number, (wait, moves) in enumerate(draw(st.lists(steps, min_size=1, max_size=most)), first):
        at += wait
        quotes = tuple(quoted(symbol, bps, at=at) for symbol, bps in moves.items())
        batches.append(Batch(number, at, quotes))
    return batches


limits: st.SearchStrategy[Limit] = st.builds(
    a_limit,
    st.sampled_from(["0", "0.5", "2", "5"]),
    consequence=st.sampled_from(Consequence),
    measured=st.sampled_from(Measured),
    reference=st.sampled_from(Reference),
    percent_of=st.sampled_from(PercentOf),
    touch=st.sampled_from(Touch),
)
total_limits: st.SearchStrategy[Limit] = st.builds(
    a_total_limit,
    st.sampled_from(["0", "1", "4", "10"]),
    consequence=st.sampled_from(Consequence),
    measured=st.sampled_from(Measured),
    trail=st.sampled_from(Trail),
    trail_by=st.sampled_from(Reference),
    lock_at=st.sampled_from([None, Decimal(0), Decimal(1500)]),
)


@st.composite
def phases(draw: st.DrawFn) -> PhaseTerms:
    terms: PhaseTerms = replace(
        draw(st.sampled_from([a_phase_terms(), a_funded_phase()])),
        daily_loss=draw(limits),
        total_loss=draw(total_limits),
        daily_profit=draw(limits),
        duration_days=draw(st.sampled_from([0, 0, 1, 3])),
        trading_day=draw(st.sampled_from(TradingDay)),
        trading_day_pct=Decimal("0.3"),
        max_positions=draw(st.sampled_from([0, 0, 1])),
        positions=draw(st.builds(PositionsLimit, st.sampled_from(Enforcement), st.sampled_from(Consequence))),
        min_trading_days=draw(st.sampled_from([0, 1])),
        inactivity_days=draw(st.sampled_from([0, 0, 2])),
        best_day_pct=draw(st.sampled_from([Decimal(0), Decimal(60)])),
        warn_at=draw(st.sampled_from([(), (Decimal("0.5"), Decimal("0.8"))])),
    )
    if terms.type is PhaseType.FUNDED:
        return terms
    return replace(terms, profit_target=draw(st.sampled_from([a_target("0"), a_target("1"), a_target("4")])))


def holdings(currency: str) -> st.SearchStrategy[list[Position]]:
    """Up to four positions with a notional that moves of a few percent make felt."""
    symbols = [s for s in a_market() if CATALOGUE.rate(CATALOGUE.instruments[s].quote_currency, currency, a_market())]
    one = st.builds(
        lambda symbol, side, thousands, bps: a_holding(
            symbol, side, str((Decimal(thousands) * 1000 / BASE[symbol]).quantize(Decimal("0.01"))), bps
        ),
        st.sampled_from(symbols),
        st.sampled_from(Side),
        st.integers(1, 120),
        st.integers(-150, 150),
    )
    return st.lists(one, max_size=4, unique_by=lambda position: (position.symbol, position.side))


def near(symbol: str, bps: int) -> Decimal:
    """A price so many hundredths of a percent from the base, in an instrument's precision."""
    return (BASE[symbol] * (10_000 + bps) / 10_000).quantize(TICKS.get(symbol, TICK))


moves = st.integers(-300, 300)


@st.composite
def resting_orders(draw: st.DrawFn, account: Account) -> dict[int, Order]:
    """Entries, some of which a move of a few percent reaches, and what protects the holdings."""
    orders: list[Order] = []

    def price(symbol: str) -> Decimal | None:
        bps = draw(st.none() | moves)
        return None if bps is None else near(symbol, bps)

    def works(symbol: str, side: Side, verb: Verb, kind: OrderType, **changes: Any) -> None:
        order = an_order(seq=len(orders) + 1, symbol=symbol, side=side, verb=verb, type=kind)
        orders.append(replace(order, **changes))

    for symbol, side in account.positions:
        for kind in (OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.LIMIT, OrderType.STOP):
            if at := price(symbol):
                verb = draw(st.sampled_from([Verb.CLOSE, Verb.REDUCE]))
                part = account.positions[symbol, side].quantity / draw(st.sampled_from([1, 2, 4]))
                works(symbol, side, verb, kind, price=at, quantity=round8(part))
    for _ in range(draw(st.integers(0, 3))):
        symbol = draw(st.sampled_from(sorted({"EURUSD", *(symbol for symbol, _ in account.positions)})))
        side, kind = draw(st.sampled_from(Side)), draw(st.sampled_from([OrderType.LIMIT, OrderType.STOP]))
        verb = Verb.INCREASE if (symbol, side) in account.positions else Verb.OPEN
        quantity = (Decimal(draw(st.integers(1, 60)) * 1000) / BASE[symbol]).quantize(Decimal("0.01"))
        protection = {"stop_loss": price(symbol), "take_profit": price(symbol)}
        works(symbol, side, verb, kind, price=near(symbol, draw(moves)), quantity=quantity, **protection)
    return {order.seq: order for order in orders}


@st.composite
def traders(draw: st.DrawFn, *, orders: bool = False) -> tuple[Account, PhaseTerms | None]:
    """An account, in a phase or not, flat or holding a few positions, as of before the first batch.

    With `orders` some rest on it, and the ledger has the rows that placed them behind it.
    """
    currency = draw(st.sampled_from(["USD", "USD", "USDC", "EUR"]))
    policy = a_policy(
        slippage=draw(st.sampled_from(Slippage)), liquidation_pct=Decimal(draw(st.sampled_from(["50", "97"])))
    )
    terms = draw(st.none() | phases())
    balance = draw(st.sampled_from(["99200", "100000", "101000.12345678"]))
    account = an_account(cash=Decimal(balance))
    if terms is not None:
        traded = draw(st.booleans())
        withdrawn = draw(st.sampled_from([Decimal(0), Decimal(0), Decimal(900)]))
        account = a_challenger(
            balance, day_traded=traded, days_traded=int(traded), metric_due_at=NOON, day_withdrawn=withdrawn
        )
    account = replace(account, currency=currency, policy=policy)
    account = holding(account, *draw(holdings(currency)))
    if orders:
        working = draw(resting_orders(account))
        account = replace(account, orders=working, seq=len(working))
    return account, terms
