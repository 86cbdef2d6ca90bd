"""Payouts: the shares of trader and house, the conditions before one, and the floors after it."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts import Account
from domain.calendar import Calendar
from domain.lifecycles import ChallengeStatus
from domain.limit_progress import progress
from domain.payouts import (
    Condition,
    Cycle,
    PayoutNotEligible,
    Standing,
    criteria,
    is_met,
    no_phase,
    reset_floor,
    share,
    take,
)
from domain.positions import Side
from domain.rule_table import Rule
from domain.rules import bounds, judge
from domain.terms import PayoutFloor, PayoutTerms, PercentOf, Trail
from tests.domain.builders import (
    INITIAL,
    MIDNIGHT,
    NOON,
    a_challenger,
    a_funded_phase,
    a_limit,
    a_phase_terms,
    a_position,
    a_total_limit,
)
from tests.domain.desk_builders import UTC_DAYS

SHARES = [
    ("80 % of a round profit", "1000", "0.8", 2, "800", "200"),
    ("cut, not rounded, to the cent", "100.01", "0.8", 2, "80", "20.01"),
    ("half a cent is the house's", "0.01", "0.5", 2, "0", "0.01"),
    ("a currency without minor units", "1000.9", "0.8", 0, "800", "200.9"),
    ("a currency with three", "1.0019", "1", 3, "1.001", "0.0009"),
    ("everything to the trader", "0.12345678", "1", 8, "0.12345678", "0"),
    ("no split", "1000", "0", 2, "0", "1000"),
    ("no profit", "0", "0.8", 2, "0", "0"),
    ("a loss is not shared", "-1000", "0.8", 2, "0", "0"),
    (
        "thirds of a long amount",
        "99999999999999999999.99999999",
        "0.3333",
        2,
        "33329999999999999999.99",
        "66670000000000000000.00999999",
    ),
]


@pytest.mark.parametrize(
    ("profit", "split", "units", "amount", "rest"), [c[1:] for c in SHARES], ids=[c[0] for c in SHARES]
)
def test_a_profit_is_shared(profit: str, split: str, units: int, amount: str, rest: str) -> None:
    assert share(Decimal(profit), Decimal(split), units) == (Decimal(amount), Decimal(rest))


@given(
    st.decimals("0.00000001", "100000000", places=8),
    st.decimals(0, 1, places=4),
    st.integers(0, 8),
)
def test_nothing_is_made_or_lost(profit: Decimal, split: Decimal, units: int) -> None:
    amount, rest = share(profit, split, units)
    assert amount + rest == profit
    assert 0 <= amount <= profit * split < amount + Decimal(1).scaleb(-units)


def a_standing(account: Account, cycle: Cycle | None = None, **payout: Any) -> Standing:
    """A funded phase's account at noon, in UTC days, with these terms of payouts."""
    terms = a_funded_phase(payout=PayoutTerms(**payout), profitable_day_pct=Decimal("0.5"))
    return Standing(account, terms, cycle or Cycle(), UTC_DAYS, 2, NOON)


def lacking(standing: Standing) -> dict[str, tuple[Decimal, Decimal]]:
    """Measured and needed of what is not met."""
    return {c.condition: (c.measured, c.needed) for c in criteria(standing) if not c.met}


RICH = a_challenger("108000", peak_equity=Decimal(108_000), peak_balance=Decimal(108_000))
HELD = replace(RICH, positions={("EURUSD", Side.LONG): a_position("1", "1")})


def test_a_flat_account_with_a_profit_may_be_paid() -> None:
    found = criteria(a_standing(RICH))
    assert is_met(found)
    assert [c.condition for c in found] == ["FUNDED_PHASE", "NO_OPEN_PAYOUT", "FLAT", "PROFIT", "ABOVE_FLOORS"]
    assert all(c.next_at is None for c in found)


LACKS: list[tuple[str, Account, dict[str, Any], dict[str, tuple[int | str, int | str]]]] = [
    ("a payout is open", RICH, {"cycle": Cycle(open=1)}, {"NO_OPEN_PAYOUT": (1, 0)}),
    ("a position is open", HELD, {}, {"FLAT": (1, 0)}),
    ("no profit", a_challenger("100000"), {}, {"PROFIT": (0, "0.01")}),
    ("less than a cent", a_challenger("100000.009"), {}, {"PROFIT": ("0.009", "0.01")}),
    ("a loss", a_challenger("99000"), {}, {"PROFIT": (-1000, "0.01")}),
    ("less than the least", RICH, {"min_profit": Decimal("8000.01")}, {"PROFIT": (8000, "8000.01")}),
    ("exactly the least", RICH, {"min_profit": Decimal(8000)}, {}),
    ("too few days traded", RICH, {"min_trading_days": 5, "cycle": Cycle(days_traded=4)}, {"TRADING_DAYS": (4, 5)}),
    ("too few with a profit", RICH, {"profitable_days": 3, "cycle": Cycle(days_profitable=1)},
     {"PROFITABLE_DAYS": (2, 3)}),  # today's is one
    ("too early", RICH, {"cycle_days": 14}, {"CYCLE": (0, 14)}),
    ("evaluations pay nothing", replace(RICH, phase=None), {}, {"FUNDED_PHASE": (0, 1)}),
    ("nor does a phase that has ended", a_challenger("108000", status=ChallengeStatus.FAILED), {},
     {"FUNDED_PHASE": (0, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("account", "terms", "lacks"), [c[1:] for c in LACKS], ids=[c[0] for c in LACKS])
def test_what_a_payout_lacks(
    account: Account, terms: dict[str, Any], lacks: dict[str, tuple[int | str, int | str]]
) -> None:
    expected = {name: (Decimal(measured), Decimal(needed)) for name, (measured, needed) in lacks.items()}
    assert lacking(a_standing(account, **terms)) == expected


def test_an_evaluation_has_no_payout_whatever_it_earned() -> None:
    standing = replace(a_standing(RICH), terms=a_phase_terms())
    assert criteria(standing) == no_phase()


EARNED: list[tuple[str, dict[str, Any], Cycle, Account, dict[str, tuple[int | str, int | str]]]] = [
    ("the best day is too much of the profit", {"best_day_pct": Decimal(40)},
     Cycle(profit=Decimal(800), best_day_profit=Decimal(800)),
     a_challenger("104000", day_start_balance=Decimal(100_800)), {"BEST_DAY": (4000, 8000)}),
    ("at its share it is not", {"best_day_pct": Decimal(80)},
     Cycle(profit=Decimal(800), best_day_profit=Decimal(800)),
     a_challenger("104000", day_start_balance=Decimal(100_800)), {}),
    ("what was paid out counts no more", {"best_day_pct": Decimal(50)},
     Cycle(day=2, profit=Decimal(1000), best_day_profit=Decimal(1000)),
     a_challenger("102000", day=4, best_day_profit=Decimal(9000), day_start_balance=Decimal(101_000)), {}),
    ("the day of a payout counts from the payout on", {"best_day_pct": Decimal(50)},
     Cycle(day=4, day_profit=Decimal(5000)),
     a_challenger("101000", day=4, day_start_balance=Decimal(95_000)), {"BEST_DAY": (1000, 2000)}),
    ("days since the start", {"min_trading_days": 5, "profitable_days": 3}, Cycle(day=4, days_traded=9),
     a_challenger("108000", day=6, days_traded=4, days_profitable=2, day_start_balance=Decimal(108_000)),
     {"PHASE_TRADING_DAYS": (4, 5), "PHASE_PROFITABLE_DAYS": (2, 3)}),
    ("today's included", {"min_trading_days": 5, "profitable_days": 3}, Cycle(),
     a_challenger("108000", days_traded=5, days_profitable=2), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "cycle", "account", "lacks"), [case[1:] for case in EARNED], ids=[case[0] for case in EARNED]
)
def test_a_funded_phase_asks_for_its_own_conditions(
    terms: dict[str, Any], cycle: Cycle, account: Account, lacks: dict[str, tuple[int | str, int | str]]
) -> None:
    standing = replace(a_standing(account, cycle), terms=a_funded_phase(**terms))
    assert lacking(standing) == {name: (Decimal(has), Decimal(needs)) for name, (has, needs) in lacks.items()}
    if "BEST_DAY" in lacks:
        (told,) = [item for item in progress(account, standing.terms, cycle) if item.rule is Rule.BEST_DAY]
        assert (told.measured, told.needed) == lacking(standing)["BEST_DAY"]


def midnight(days_on: int) -> datetime:
    return MIDNIGHT + timedelta(days=days_on - 1)


def on_day(day: int, **run: Any) -> Account:
    """The phase's n-th day, which began at midnight; noon is at its middle."""
    return a_challenger("108000", day=day, **run)


WAITS: list[tuple[str, Account, dict[str, Any], datetime | None]] = [
    ("a cycle of three days begins with the fourth", on_day(1), {"cycle_days": 3}, midnight(3)),
    ("a day of it is left", on_day(3), {"cycle_days": 3}, midnight(1)),
    ("it is over", on_day(4), {"cycle_days": 3}, None),
    ("it counts from the last payout", on_day(4), {"cycle_days": 3, "cycle": Cycle(day=2)}, midnight(1)),
    ("one more traded day may be today", on_day(4), {"min_trading_days": 1}, NOON),
    ("today is one already", on_day(4, day_traded=True), {"min_trading_days": 2}, midnight(1)),
    ("two more: today and tomorrow", on_day(4), {"min_trading_days": 2}, midnight(1)),
    ("a payout's own day belongs to what was before", on_day(4, day_traded=True),
     {"min_trading_days": 1, "cycle": Cycle(day=4)}, midnight(1)),
    ("its profit too", on_day(4), {"profitable_days": 2, "cycle": Cycle(day=4)}, midnight(2)),
]  # fmt: skip


@pytest.mark.parametrize(("account", "terms", "next_at"), [c[1:] for c in WAITS], ids=[c[0] for c in WAITS])
def test_when_it_can_next_be_met(account: Account, terms: dict[str, Any], next_at: datetime | None) -> None:
    found = {c.condition: c for c in criteria(a_standing(account, **terms))}
    found.pop(Condition.FLAT)
    assert [c.next_at for c in found.values() if c.condition in DAYS_DECIDE] == [next_at]


DAYS_DECIDE = {Condition.TRADING_DAYS, Condition.PROFITABLE_DAYS, Condition.CYCLE}


def test_days_of_waiting_are_the_calendar_s() -> None:
    """New York changes its clocks on 8 March 2026: two days after 12:00 UTC on the 7th are 23 and 24 hours."""
    new_york = Calendar("America/New_York", time(0))
    at = datetime(2026, 3, 7, 12, tzinfo=UTC)
    account = on_day(1, day_ends_at=new_york.next_boundary(at))
    standing = replace(a_standing(account, cycle_days=2), calendar=new_york, at=at)
    (cycle,) = [c for c in criteria(standing) if c.condition is Condition.CYCLE]
    assert cycle.next_at == datetime(2026, 3, 9, 4, tzinfo=UTC)


def test_a_refusal_says_what_is_lacking_and_until_when() -> None:
    refusal = PayoutNotEligible(criteria(a_standing(a_challenger("100000"), cycle_days=3)))
    assert str(refusal) == (
        "The conditions of a payout are not met: profit is 0, needed 0.01, "
        "cycle is 0, needed 3 (not before 2026-03-05T00:00:00+00:00)."
    )
    assert (refusal.field, refusal.transient, len(refusal.criteria)) == ("challengeId", True, 6)


TRAILING = a_total_limit("10", trail=Trail.TRAIL_INTRADAY)
SHRINKS = a_limit("5")  # of the day's start, which shrinks with the payout
FLOORS: list[tuple[str, Account, dict[str, Any], bool, datetime | None]] = [
    ("a trailing floor goes with the money", RICH, {"total_loss": TRAILING}, True, None),
    ("one that stays must lie below what is left", a_challenger("108000", peak_equity=Decimal(109_999)),
     {"total_loss": TRAILING, "payout": PayoutTerms(floor=PayoutFloor.KEEP)}, True, None),
    ("and does not", a_challenger("108000", peak_equity=Decimal(110_001)),
     {"total_loss": TRAILING, "payout": PayoutTerms(floor=PayoutFloor.KEEP)}, False, None),
    ("a day's share of less is less", a_challenger("106500", day_start_equity=Decimal(112_000)), {}, False, MIDNIGHT),
    ("what was found today breaks no more", a_challenger(
        "106500", day_start_equity=Decimal(112_000), day_findings=frozenset({"MAX_DAILY_LOSS"})), {}, True, None),
]  # fmt: skip


@pytest.mark.parametrize(("account", "terms", "met", "next_at"), [c[1:] for c in FLOORS], ids=[c[0] for c in FLOORS])
def test_a_payout_breaks_no_limit(account: Account, terms: dict[str, Any], met: bool, next_at: datetime | None) -> None:
    standing = replace(a_standing(account), terms=a_funded_phase(daily_loss=SHRINKS, **terms))
    (found,) = [c for c in criteria(standing) if c.condition is Condition.ABOVE_FLOORS]
    assert (found.met, found.next_at) == (met, next_at)


OF_INITIAL = a_limit("5", percent_of=PercentOf.INITIAL)
DAY_FLOORS: list[tuple[str, Account, int]] = [
    ("today's gain leaves the floor where it is", a_challenger("104000"), 95_000),
    ("so does that of days before", a_challenger("104000", day_start_balance=Decimal(104_000),
                                                 day_start_equity=Decimal(104_000)), 99_000),
    ("unless what is left lies below it", a_challenger("110000", day_start_balance=Decimal(110_000),
                                                       day_start_equity=Decimal(110_000)), 95_000),
    ("then today's gain leaves first", a_challenger("110000", day_start_balance=Decimal(108_000),
                                                    day_start_equity=Decimal(108_000)), 95_000),
    ("and today's loss goes on counting", a_challenger("106000", day_start_balance=Decimal(109_000),
                                                       day_start_equity=Decimal(109_000)), 98_000),
]  # fmt: skip


@pytest.mark.parametrize(("account", "floor"), [c[1:] for c in DAY_FLOORS], ids=[c[0] for c in DAY_FLOORS])
def test_a_withdrawal_lowers_no_floor_of_its_day(account: Account, floor: int) -> None:
    terms = a_funded_phase(daily_loss=OF_INITIAL)
    left = take(account, terms, account.cash - INITIAL)
    (daily,) = [bound for bound in bounds(left, terms) if bound.rule is Rule.MAX_DAILY_LOSS]
    assert (left.cash, daily.level) == (INITIAL, Decimal(floor))
    assert take(left, terms, INITIAL - account.cash) == account
    lost = replace(left, cash=Decimal(92_000))
    assert [(found.rule, found.floor) for found in judge(lost, terms, 5, NOON)] == [("MAX_DAILY_LOSS", Decimal(floor))]


money = st.decimals("90000", "130000", places=2)


@given(money, money, money, money, st.sampled_from(Trail), st.sampled_from(PayoutFloor), st.sampled_from(PercentOf))
def test_a_payout_asked_for_and_turned_down_leaves_the_account_as_it_was(
    cash: Decimal, start: Decimal, peak: Decimal, closed: Decimal, trail: Trail, floor: PayoutFloor, of: PercentOf
) -> None:
    """And while it is held, nothing that did not stand at its limit before does so now."""
    peaks = {"peak_equity": max(peak, cash), "peak_balance": max(closed, cash), "peak_end_of_day": closed}
    before = a_challenger(str(cash), None, day_start_balance=start, day_start_equity=start, **peaks)
    total = replace(a_total_limit("10", trail=trail), percent_of=of)
    terms = a_funded_phase(total_loss=total, payout=PayoutTerms(floor=floor))
    standing = replace(a_standing(before), terms=terms)
    found = {c.condition: c.met for c in criteria(standing)}
    if standing.profit <= 0:
        return
    held = take(before, terms, standing.profit)
    assert held.cash == INITIAL
    assert found[Condition.ABOVE_FLOORS] is (not judge(held, terms, 5, NOON))
    assert take(held, terms, -standing.profit) == before
    if floor is not PayoutFloor.KEEP and of is PercentOf.INITIAL:
        of_both = [{b.rule: b.headroom(a.equity) for b in bounds(a, terms)} for a in (before, held)]
        assert of_both[1][Rule.MAX_TOTAL_LOSS] <= of_both[0][Rule.MAX_TOTAL_LOSS]
        if trail is not Trail.STATIC and peaks[TRAILED[trail]] - standing.profit >= INITIAL:
            assert of_both[1][Rule.MAX_TOTAL_LOSS] == of_both[0][Rule.MAX_TOTAL_LOSS]


TRAILED = {
    Trail.TRAIL_INTRADAY: "peak_equity",
    Trail.TRAIL_BALANCE: "peak_balance",
    Trail.TRAIL_END_OF_DAY: "peak_end_of_day",
}


def test_an_approved_payout_lets_the_floor_trail_anew_where_the_terms_say_so() -> None:
    held = a_challenger("100000", "100500", peak_equity=Decimal(103_000), peak_balance=Decimal(102_000))
    anew = reset_floor(held, a_funded_phase(payout=PayoutTerms(floor=PayoutFloor.RESET)))
    assert anew.phase
    assert (anew.phase.peak_balance, anew.phase.peak_end_of_day, anew.phase.peak_equity - 500) == (INITIAL,) * 3
    for floor in PayoutFloor.FOLLOW, PayoutFloor.KEEP:
        assert reset_floor(held, a_funded_phase(payout=PayoutTerms(floor=floor))) is held


PARTS: list[tuple[str, str, str | None, dict[str, Any], str, set[str]]] = [
    ("all of it", "108000", None, {}, "8000", set()),
    ("all but the buffer", "108000", None, {"min_buffer": Decimal(2000)}, "6000", set()),
    ("less than the buffer is there", "101000", None, {"min_buffer": Decimal(2000)}, "0", {"AMOUNT", "BUFFER"}),
    ("a part", "108000", "0.01", {}, "0.01", set()),
    ("a part down to the buffer", "108000", "6000", {"min_buffer": Decimal(2000)}, "6000", set()),
    ("a cent into the buffer", "108000", "6000.01", {"min_buffer": Decimal(2000)}, "6000.01", {"BUFFER"}),
    ("exactly the least", "108000", "500", {"min_amount": Decimal(500)}, "500", set()),
    ("a cent less", "108000", "499.99", {"min_amount": Decimal(500)}, "499.99", {"AMOUNT"}),
    ("more than there is", "100100", "100.01", {}, "100.01", {"BUFFER"}),
]


@pytest.mark.parametrize(
    ("cash", "requested", "terms", "amount", "lacks"), [c[1:] for c in PARTS], ids=[c[0] for c in PARTS]
)
def test_a_part_of_the_profit(
    cash: str, requested: str | None, terms: dict[str, Any], amount: str, lacks: set[str]
) -> None:
    asked = None if requested is None else Decimal(requested)
    standing = replace(a_standing(a_challenger(cash), **terms), requested=asked)
    assert standing.amount == Decimal(amount)
    assert set(lacking(standing)) == lacks


@given(st.decimals("0.01", "20000", places=2), st.decimals("0.01", "20000", places=2), st.decimals(0, "5000", places=2))
def test_a_part_that_may_be_taken_leaves_the_buffer_and_breaks_no_floor(
    profit: Decimal, requested: Decimal, buffer: Decimal
) -> None:
    account = a_challenger(str(Decimal(100_000) + profit))
    standing = replace(a_standing(account, min_buffer=buffer), requested=requested)
    assert is_met(criteria(standing)) == (requested <= profit - buffer)
