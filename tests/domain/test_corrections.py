"""Voided fills in memory: after any order of trades and voids, the account equals the remaining fills."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import corrections
from domain.accounts import Account, Journal
from domain.corrections import Books
from domain.errors import LaterFillsNeedIt
from domain.execution import submit
from domain.ledger import Kind, Row
from domain.lifecycles import FillStatus, OrderStatus
from domain.money import ZERO
from domain.orders import Action, Fill, Order
from domain.positions import Position, Side
from domain.quotes import Market
from domain.reasons import Reason
from domain.terms import Slippage
from domain.valuation import unrealised
from tests.domain.builders import INITIAL, NOON, a_phase_terms, a_policy, an_account
from tests.domain.desk_builders import CATALOGUE, a_market, a_moment, conditions, deposited, started

WHY = Reason("a bad tick", "a test")
WIDE = a_policy(
    notional_max=Decimal(10**9),
    leverage_max=Decimal(100),
    position_equity_pct_max=Decimal(10_000),
    liquidation_pct=ZERO,
    slippage=Slippage.BID_ASK,
)


@dataclass
class Desk:
    """One account with what a database would keep of it."""

    account: Account
    rows: list[Row]
    market: Market = field(default_factory=a_market)
    fills: dict[int, Fill] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    terms: Any = None

    @property
    def books(self) -> Books:
        fills = tuple(self.fills[seq] for seq in sorted(self.fills))
        fee_bps, cash = self.account.policy.fee_bps, self.rows[-1].balance_after
        return Books(fills, dict(self.positions), fee_bps, INITIAL, cash)

    @property
    def booked(self) -> list[Fill]:
        return [fill for fill in self.books.fills if fill.status is FillStatus.BOOKED]

    def keep(self, account: Account, journal: Journal) -> None:
        self.account = account
        self.rows += journal.rows
        self.fills |= {fill.seq: fill for fill in (*journal.fills, *journal.corrected)}
        self.positions |= {seq: position for (_, seq), position in journal.positions.items()}
        self.orders |= {seq: order for (_, seq), order in journal.orders.items()}

    def act(self, verb: str, side: Side, symbol: str, quantity: str | None = None, **given: str) -> None:
        journal = Journal()
        action = Action("r", f"a{len(self.rows)}", verb, symbol, side, quantity, **given)
        account, _ = submit(self.account, [action], {}, a_moment(self.market), conditions(self.terms), journal)
        self.keep(account, journal)

    def mark(self, moves: dict[str, int]) -> None:
        self.market = a_market(NOON, **moves)

    def void(self, *seqs: int) -> None:
        """Void the fills, and those that would have to go with them."""
        moment, journal = a_moment(self.market), Journal()
        try:
            computed = corrections.outcome(self.books, seqs, NOON)
        except LaterFillsNeedIt as refused:
            needed = [int(name.partition("-")[2]) for name in str(refused.facts["fills"]).split()]
            return self.void(*seqs, *needed)
        orders = [self.orders[self.fills[seq].order_seq] for seq in seqs]
        account = corrections.correct(
            self.account, self.books, computed, orders, WHY.facts, moment, conditions(self.terms), journal
        )
        return self.keep(account, journal)

    def differences(self) -> list[Any]:
        computed = corrections.outcome(self.books, (), NOON)
        return corrections.differences(self.account, self.books, computed, a_moment(self.market), CATALOGUE)


def a_desk(**changes: Any) -> Desk:
    account, journal = deposited(an_account(**{"policy": WIDE, "marked_through": 1, "marked_at": NOON, **changes}))
    return Desk(account, list(journal.rows))


def assert_it_holds(desk: Desk) -> None:
    """The equations of the books."""
    account, rows = desk.account, desk.rows
    assert account.cash == sum(row.amount for row in rows) == rows[-1].balance_after
    assert account.cash == INITIAL + account.realised - account.fees
    assert account.realised == sum(fill.realised for fill in desk.booked)
    assert account.fees == sum(fill.fee for fill in desk.booked)
    traded = sum(row.amount for row in rows if row.kind in (Kind.FILL, Kind.CORRECTION))
    assert traded == account.realised - account.fees
    signed: defaultdict[tuple[str, Side], Decimal] = defaultdict(Decimal)
    for fill in desk.booked:
        signed[fill.symbol, fill.side] += fill.quantity if fill.verb.adds else -fill.quantity
    assert {key: held.quantity for key, held in account.positions.items()} == {k: q for k, q in signed.items() if q}
    assert {p.seq for p in account.positions.values()} == {p.seq for p in desk.positions.values() if p.quantity}
    assert all(account.positions[p.symbol, p.side] == p for p in desk.positions.values() if p.quantity)
    for fill in desk.fills.values():
        expected = OrderStatus.FILLED if fill.status is FillStatus.BOOKED else OrderStatus.VOID
        assert desk.orders[fill.order_seq].status is expected


acts = st.tuples(
    st.just("act"),
    st.sampled_from(["OPEN", "OPEN", "INCREASE", "REDUCE", "CLOSE"]),
    st.sampled_from(Side),
    st.sampled_from(["EURUSD", "USDJPY", "EURGBP"]),
    st.integers(1, 50),
)
marks = st.tuples(
    st.just("mark"), st.dictionaries(st.sampled_from(["EURUSD", "USDJPY", "GBPUSD"]), st.integers(-300, 300))
)
voids = st.tuples(st.just("void"), st.lists(st.integers(0, 30), min_size=1, max_size=3))


@settings(max_examples=60)
@given(st.lists(st.one_of(acts, acts, marks, voids), min_size=12, max_size=40))
def test_whatever_is_traded_and_voided_the_account_is_what_remains(moves: list[Any]) -> None:
    desk, highest = a_desk(), ZERO
    for what, *told in moves:
        before = list(desk.rows)
        if what == "act":
            verb, side, symbol, thousands = told
            size = {"CLOSE": {}, "REDUCE": {"fraction": "0.5"}}.get(verb, {"quantity": f"{thousands}000"})
            desk.act(verb, side, symbol, **size)
        elif what == "mark":
            desk.mark(told[0])
        elif desk.booked:
            desk.void(*{desk.booked[place % len(desk.booked)].seq for place in told[0]})
            assert desk.account.unrealised == unrealised(desk.account, desk.market, CATALOGUE)
        assert desk.rows[: len(before)] == before
        assert desk.account.high_watermark >= highest
        highest = desk.account.high_watermark
        assert_it_holds(desk)
        assert [one for one in desk.differences() if one.what != "unrealised"] == []


def test_one_row_tells_the_whole_correction() -> None:
    desk = a_desk()
    desk.act("OPEN", Side.LONG, "EURUSD", "10000")
    desk.act("INCREASE", Side.LONG, "EURUSD", "10000")
    [first, second] = desk.booked
    written = len(desk.rows)
    desk.void(second.seq)
    [row] = desk.rows[written:]
    assert (row.kind, row.amount) == (Kind.CORRECTION, second.fee)
    assert row.facts == {
        **WHY.facts,
        "voided_fills": str(second.seq),
        "voided_orders": str(second.order_seq),
        "realised_before": "0",
        "realised": "0",
        "fees_before": str(first.fee + second.fee).rstrip("0"),
        "fees": str(first.fee).rstrip("0").rstrip("."),
    }


def test_a_void_raises_highs_and_never_lowers_them() -> None:
    desk = a_desk(policy=a_policy(fee_bps=ZERO))
    desk.act("OPEN", Side.LONG, "EURUSD", "10000")
    desk.mark({"EURUSD": 100})
    desk.act("CLOSE", Side.LONG, "EURUSD")
    high = desk.account.high_watermark
    assert high > INITIAL
    desk.void(*[fill.seq for fill in desk.booked])
    assert (desk.account.cash, desk.account.high_watermark) == (INITIAL, high)
    desk.act("OPEN", Side.SHORT, "EURUSD", "10000")
    desk.mark({"EURUSD": 300})
    desk.act("OPEN", Side.LONG, "EURUSD", "40000")
    desk.mark({"EURUSD": 400})
    short = next(fill for fill in desk.booked if fill.side is Side.SHORT)
    desk.void(short.seq)
    assert desk.account.high_watermark == desk.account.equity > high


def test_a_phase_that_runs_is_judged_and_one_that_has_ended_is_not() -> None:
    desk = a_desk()
    desk.terms = a_phase_terms()
    desk.account, journal = started(desk.terms, policy=WIDE)
    desk.rows = list(journal.rows)
    desk.act("OPEN", Side.LONG, "EURUSD", "400000")
    desk.act("OPEN", Side.SHORT, "EURUSD", "400000")
    desk.mark({"EURUSD": -200})
    hedge = desk.booked[1]
    desk.void(hedge.seq)
    assert [row.kind for row in desk.rows[-3:]] == [Kind.CORRECTION, Kind.MARK_TO_MARKET, Kind.PHASE_FAILED]
    ended = desk.account.phase
    desk.void(desk.booked[0].seq)
    assert desk.rows[-1].kind is Kind.CORRECTION
    assert desk.account.phase == ended
    assert desk.account.cash == INITIAL


@pytest.mark.parametrize(("damage", "what"), [("fills", "fill 4 realised"), ("positions", "position 5 quantity")])
def test_differences_name_what_is_kept_otherwise(damage: str, what: str) -> None:
    desk = a_desk()
    desk.act("OPEN", Side.LONG, "EURUSD", "10000")
    assert desk.differences() == []
    assert [(fill.seq, fill.position_seq) for fill in desk.booked] == [(4, 5)]
    if damage == "fills":
        desk.fills[4] = replace(desk.fills[4], realised=Decimal(7))
    else:
        desk.positions[5] = replace(desk.positions[5], quantity=Decimal(7))
    assert [(one.what, one.stored) for one in desk.differences()] == [(what, "7")]
