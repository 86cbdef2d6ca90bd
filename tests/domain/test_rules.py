"""Verdicts as tables: what breaks a limit, what ends with a day, what passes."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.accounts import Account, Finding
from domain.lifecycles import ChallengeStatus
from domain.rule_table import LEVEL_RULE, Rule
from domain.rules import ends_by_passing, is_between, judge, judge_day_end, passes
from domain.terms import Consequence, Limit, Measured, PercentOf, PhaseTerms, PhaseType, Reference, Touch, Trail
from domain.terms import limit_from_data as limit_of
from tests.domain.builders import (
    INITIAL,
    MONDAY,
    NOON,
    a_challenger,
    a_funded_phase,
    a_limit,
    a_phase_run,
    a_phase_terms,
    a_policy,
    a_target,
    a_total_limit,
    an_account,
    level_of,
)

LATER = NOON + timedelta(hours=3)
BALANCE, LOWER, REACHED = Measured.BALANCE, Measured.LOWER, Touch.REACHED


def only(**limits: Limit) -> PhaseTerms:
    """Terms without any limit but these."""
    bare = {"daily_loss": a_limit(), "total_loss": a_total_limit(), "profit_target": a_target("0")}
    return a_phase_terms(**bare | limits)


def broken(account: Account, terms: PhaseTerms) -> list[str]:
    return [finding.rule for finding in judge(account, terms, 5, LATER)]


def figures_of(finding: Finding) -> list[Decimal]:
    return [finding.limit, finding.floor, finding.observed, finding.headroom]


DAILY = only(daily_loss=a_limit("5"))
LOSSES: list[tuple[str, PhaseTerms, str, str, bool]] = [
    ("above the floor", DAILY, "100000", "95000.01", False),
    ("on it", DAILY, "100000", "95000", False),
    ("beyond it", DAILY, "100000", "94999.99999999", True),
    ("on it, where reaching counts", only(daily_loss=a_limit("5", touch=REACHED)), "100000", "95000", True),
    ("above it, where reaching counts", only(daily_loss=a_limit("5", touch=REACHED)), "100000", "95000.01", False),
    ("the balance does not count", DAILY, "90000", "99000", False),
    ("only the balance counts", only(daily_loss=a_limit("5", measured=BALANCE)), "100000", "90000", False),
    ("the balance counts", only(daily_loss=a_limit("5", measured=BALANCE)), "94999", "99000", True),
    ("the lower is equity", only(daily_loss=a_limit("5", measured=LOWER)), "100000", "94999", True),
    ("the lower is the balance", only(daily_loss=a_limit("5", measured=LOWER)), "94999", "100000", True),
    ("neither is low", only(daily_loss=a_limit("5", measured=LOWER)), "95000", "95000", False),
]


@pytest.mark.parametrize(("terms", "balance", "equity", "breaks"), [c[1:] for c in LOSSES], ids=[c[0] for c in LOSSES])
def test_a_daily_loss(terms: PhaseTerms, balance: str, equity: str, breaks: bool) -> None:
    assert broken(a_challenger(balance, equity), terms) == ["MAX_DAILY_LOSS"] * breaks


def test_the_day_starts_at_its_own_figures() -> None:
    """Carrying a floating loss over midnight breaks a balance-based limit at the reset (ftmo2-200k-tuesday)."""
    terms = only(daily_loss=a_limit("5", reference=Reference.BALANCE, percent_of=PercentOf.INITIAL))
    carried = a_challenger("104000", "98999", day_start_balance=Decimal(104_000), day_start_equity=Decimal(98_999))
    assert broken(carried, terms) == ["MAX_DAILY_LOSS"]
    assert broken(carried, DAILY) == []


TRAILING = only(total_loss=a_total_limit("10", trail=Trail.TRAIL_INTRADAY))
TOTALS: list[tuple[str, PhaseTerms, str, dict[str, Decimal], bool]] = [
    ("static, on the floor", only(total_loss=a_total_limit("10")), "90000", {}, False),
    ("static, beyond it", only(total_loss=a_total_limit("10")), "89999.99", {}, True),
    (
        "static, whatever the high was",
        only(total_loss=a_total_limit("10")),
        "90000",
        {"peak_equity": INITIAL * 2},
        False,
    ),
    ("trailing, on the floor", TRAILING, "98000", {"peak_equity": Decimal(108_000)}, False),
    ("trailing, beyond it", TRAILING, "97999", {"peak_equity": Decimal(108_000)}, True),
    ("trailing another high", TRAILING, "97999", {"peak_balance": Decimal(108_000)}, False),
]


@pytest.mark.parametrize(("terms", "equity", "peaks", "breaks"), [c[1:] for c in TOTALS], ids=[c[0] for c in TOTALS])
def test_a_total_loss(terms: PhaseTerms, equity: str, peaks: dict[str, Decimal], breaks: bool) -> None:
    assert broken(a_challenger("100000", equity, **peaks), terms) == ["MAX_TOTAL_LOSS"] * breaks


PROFITS = [("on the ceiling", "105000", False), ("beyond it", "105000.01", True), ("a loss", "95000", False)]


@pytest.mark.parametrize(("equity", "breaks"), [c[1:] for c in PROFITS], ids=[c[0] for c in PROFITS])
def test_a_daily_profit(equity: str, breaks: bool) -> None:
    terms = only(daily_profit=a_limit("5"))
    assert broken(a_challenger("100000", equity), terms) == ["MAX_DAILY_PROFIT"] * breaks


def test_a_daily_profit_has_its_own_reference() -> None:
    start = {"day_start_balance": Decimal(102_000), "day_start_equity": Decimal(90_000)}
    account = a_challenger("102000", "107000", **start)
    of_balance, of_equity = (
        only(daily_profit=a_limit("5", reference=reference)) for reference in Reference if reference != "HIGHER"
    )
    assert broken(account, of_balance) == []
    assert broken(account, of_equity) == ["MAX_DAILY_PROFIT"]
    (finding,) = judge(account, of_equity, 5, LATER)
    assert (finding.derivation["counted_from"], finding.floor) == ("90000", Decimal(94_500))


LIQUIDATIONS = [("above", "50000.01", "50", False), ("reached", "50000", "50", True), ("switched off", "1", "0", False)]


@pytest.mark.parametrize(("equity", "pct", "breaks"), [c[1:] for c in LIQUIDATIONS], ids=[c[0] for c in LIQUIDATIONS])
def test_a_liquidation(equity: str, pct: str, breaks: bool) -> None:
    """Half of the starting balance, whatever the phase's own limits are."""
    policy = a_policy(liquidation_pct=Decimal(pct))
    account = an_account(policy=policy, unrealised=Decimal(equity) - INITIAL, phase=a_phase_run())
    found = judge(account, only(), 5, LATER)
    assert [(finding.rule, finding.consequence) for finding in found] == [("LIQUIDATION", "FAIL")] * breaks
    facts = [(finding.derivation["counted_from"], finding.derivation["percent_of"]) for finding in found]
    assert facts == [("100000", "INITIAL")] * breaks


def test_everything_broken_is_found_in_a_fixed_order() -> None:
    terms = a_phase_terms(daily_profit=a_limit(amount=Decimal(-90_000)))  # absurd, so that it is exceeded too
    found = ["MAX_TOTAL_LOSS", "MAX_DAILY_LOSS", "MAX_DAILY_PROFIT", "LIQUIDATION"]
    assert broken(a_challenger("40000"), terms) == found


@pytest.mark.parametrize("consequence", [Consequence.WARN, Consequence.PAUSE_DAY, Consequence.CLOSE_DAY])
def test_a_rule_is_found_once_a_day(consequence: Consequence) -> None:
    terms = only(daily_loss=a_limit("5", consequence=consequence), total_loss=a_total_limit("6"))
    (first,) = judge(a_challenger("94500"), terms, 5, LATER)
    assert first.consequence == consequence
    known = frozenset({first.rule})
    assert broken(a_challenger("94500", day_findings=known), terms) == []
    assert broken(a_challenger("93999", day_findings=known), terms) == ["MAX_TOTAL_LOSS"]


def test_a_finding_says_where_and_when() -> None:
    (finding,) = judge(a_challenger("94500", "94000", day=3), DAILY, 5, LATER)
    assert (finding.phase_id, finding.challenge_id, finding.account_id) == (11, 7, 1001)
    assert (finding.day, finding.day_date, finding.market_time, finding.batch) == (3, MONDAY, LATER, 5)
    assert figures_of(finding) == [5, 95_000, 94_000, -1000]
    assert (finding.ledger_seq, finding.ledger_hash) == (0, b"")


def test_headroom_beyond_a_ceiling_is_negative_too() -> None:
    (finding,) = judge(a_challenger("100000", "105250"), only(daily_profit=a_limit(amount=Decimal(5000))), 5, LATER)
    assert figures_of(finding) == [5000, 105_000, 105_250, -250]


DERIVED = [
    ("daily", only(daily_loss=a_limit("5", reference=Reference.HIGHER)), "101500"),
    ("daily, an amount", only(daily_loss=a_limit(amount=Decimal(900), reference=Reference.BALANCE)), "100000"),
    ("total", only(total_loss=a_total_limit("4", trail=Trail.TRAIL_END_OF_DAY, lock_at=Decimal(500))), "104000"),
]


@pytest.mark.parametrize(("terms", "start"), [c[1:] for c in DERIVED], ids=[c[0] for c in DERIVED])
def test_a_third_party_derives_the_floor_from_the_finding_alone(terms: PhaseTerms, start: str) -> None:
    account = a_challenger("96500", "96000", day_start_equity=Decimal(101_500), peak_end_of_day=Decimal(104_000))
    (finding,) = judge(account, terms, 5, LATER)
    facts: dict[str, Any] = json.loads(json.dumps(finding.derivation))
    assert facts == finding.derivation
    assert all(value is None or isinstance(value, str) for value in facts.values())
    limit = limit_of({name: facts[name] for name in Limit.__dataclass_fields__}, a_limit())
    rule = Rule(finding.rule)
    figures = {name: Decimal(facts[name]) for name in LEVEL_RULE[rule].figures if name != "initial_balance"}
    assert level_of(rule, limit, Decimal(facts["initial_balance"]), **figures) == finding.floor
    assert (facts["balance"], facts["equity"]) == ("96500", "96000")
    assert facts["counted_from"] == start


FUNDED = PhaseType.FUNDED
DAY_ENDS: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("nothing configured", {}, {"day": 99, "days_traded": 99}, []),
    ("before its last day", {"duration_days": 5}, {"day": 4}, []),
    ("its last day", {"duration_days": 5}, {"day": 5}, ["DURATION"]),
    ("a funded phase's last day fails nothing", {"duration_days": 5, "type": FUNDED}, {"day": 5}, []),
    ("one traded day short", {"max_trading_days": 3}, {"day": 9, "days_traded": 2}, []),
    ("the last traded day", {"max_trading_days": 3}, {"day": 9, "days_traded": 3}, ["MAX_TRADING_DAYS"]),
    ("of a funded phase", {"max_trading_days": 3, "type": FUNDED}, {"day": 9, "days_traded": 3}, []),
    ("the starting day counts as one with a fill", {"inactivity_days": 2}, {"day": 2}, []),
    ("two days without a fill", {"inactivity_days": 2}, {"day": 3}, ["INACTIVITY"]),
    ("a fill two days ago", {"inactivity_days": 2}, {"day": 7, "last_fill_day": 5}, ["INACTIVITY"]),
    ("a fill yesterday", {"inactivity_days": 2}, {"day": 7, "last_fill_day": 6}, []),
    ("a funded phase must be traded too", {"inactivity_days": 2, "type": FUNDED}, {"day": 3}, ["INACTIVITY"]),
    (
        "everything at once, in order",
        {"duration_days": 5, "max_trading_days": 1, "inactivity_days": 4},
        {"day": 5, "days_traded": 1},
        ["DURATION", "MAX_TRADING_DAYS", "INACTIVITY"],
    ),
]


@pytest.mark.parametrize(("terms", "run", "rules"), [c[1:] for c in DAY_ENDS], ids=[c[0] for c in DAY_ENDS])
def test_what_ends_with_a_day(terms: dict[str, Any], run: dict[str, Any], rules: list[str]) -> None:
    found = judge_day_end(a_challenger(**run), a_phase_terms(**terms), 5, LATER)
    assert [finding.rule for finding in found] == rules
    assert all(finding.consequence == "FAIL" for finding in found)


def test_the_end_of_the_days_is_told_in_counts() -> None:
    account = a_challenger(day=9, days_traded=3, last_fill_day=8)
    (finding,) = judge_day_end(account, a_phase_terms(max_trading_days=2), 5, LATER)
    assert figures_of(finding) == [2, 2, 3, -1]
    counts = {"day": 9, "days_traded": 3, "last_fill_day": 8, "started_at": "2026-03-02T12:00:00+00:00"}
    assert finding.derivation == counts
    assert (finding.batch, finding.market_time) == (5, LATER)


ENDINGS: list[tuple[str, dict[str, Any], dict[str, Any], Rule | None]] = [
    ("never", {}, {"day": 99, "days_traded": 99}, None),
    ("before the last day", {"duration_days": 5}, {"day": 4}, None),
    ("on the last day", {"duration_days": 5}, {"day": 5}, Rule.DURATION),
    ("on its only day", {"duration_days": 1}, {"day": 1}, Rule.DURATION),
    ("before the last traded day", {"max_trading_days": 3}, {"day": 9, "days_traded": 2}, None),
    ("on the last traded day", {"max_trading_days": 3}, {"day": 9, "days_traded": 3}, Rule.MAX_TRADING_DAYS),
    (
        "whichever comes first",
        {"duration_days": 30, "max_trading_days": 3},
        {"day": 9, "days_traded": 3},
        Rule.MAX_TRADING_DAYS,
    ),
]


@pytest.mark.parametrize(("terms", "run", "ends"), [c[1:] for c in ENDINGS], ids=[c[0] for c in ENDINGS])
def test_a_funded_phase_ends_by_passing(terms: dict[str, Any], run: dict[str, Any], ends: Rule | None) -> None:
    account = a_challenger(**run)
    assert ends_by_passing(account, a_funded_phase(**terms)) is ends
    assert not ends_by_passing(account, a_phase_terms(**terms))


BEST, EQUITY = Decimal(40), Measured.EQUITY
SOME_DAYS = {"day_start_balance": Decimal(106_000), "day_start_equity": Decimal(106_000)}
PASSING: list[tuple[str, dict[str, Any], tuple[str, str], dict[str, Any], bool]] = [
    ("the target reached", {}, ("108000", "108000"), {}, True),
    ("a cent short", {}, ("107999.99", "108000"), {}, False),
    ("only equity reached it", {}, ("107000", "109000"), {}, False),
    ("only the balance reached it", {}, ("109000", "107000"), {}, False),
    ("equity is what counts", {"profit_target": a_target(measured=EQUITY)}, ("107000", "108000"), {}, True),
    ("the balance is what counts", {"profit_target": a_target(measured=BALANCE)}, ("108000", "100000"), {}, True),
    (
        "reached, but it must be exceeded",
        {"profit_target": a_target(touch=Touch.BEYOND)},
        ("108000", "108000"),
        {},
        False,
    ),
    ("no target, no pass", {"profit_target": a_target("0")}, ("200000", "200000"), {}, False),
    ("a funded phase has no target", {"type": FUNDED}, ("200000", "200000"), {}, False),
    ("a traded day short", {"min_trading_days": 5}, ("108000", "108000"), {"days_traded": 4}, False),
    ("enough traded days", {"min_trading_days": 5}, ("108000", "108000"), {"days_traded": 5}, True),
    ("all made today", {"best_day_pct": BEST}, ("108000", "108000"), {}, False),
    ("today is small enough", {"best_day_pct": BEST}, ("108000", "108000"), SOME_DAYS, True),
    ("open profit is not net profit", {"best_day_pct": BEST}, ("108000", "150000"), {}, False),
    (
        "an earlier day was too large",
        {"best_day_pct": BEST},
        ("108000", "108000"),
        SOME_DAYS | {"best_day_profit": Decimal("3200.01")},
        False,
    ),
    (
        "an earlier day exactly its share",
        {"best_day_pct": BEST},
        ("108000", "108000"),
        SOME_DAYS | {"best_day_profit": Decimal(3200)},
        True,
    ),
    (
        "today makes the third profitable day",
        {"profitable_days": 3},
        ("108000", "108000"),
        {"days_profitable": 2},
        True,
    ),
    ("a profitable day short", {"profitable_days": 4}, ("108000", "108000"), {"days_profitable": 2}, False),
    (
        "today is not above the least profit",
        {"profitable_days": 1, "profitable_day_pct": Decimal(2)},
        ("108000", "108000"),
        SOME_DAYS,
        False,
    ),
    (
        "today is a cent above it",
        {"profitable_days": 1, "profitable_day_pct": Decimal(2)},
        ("108000.01", "108000.01"),
        SOME_DAYS,
        True,
    ),
]


@pytest.mark.parametrize(("terms", "figures", "run", "passed"), [c[1:] for c in PASSING], ids=[c[0] for c in PASSING])
def test_an_evaluation_passes(
    terms: dict[str, Any], figures: tuple[str, str], run: dict[str, Any], passed: bool
) -> None:
    assert passes(a_challenger(*figures, **run), a_phase_terms(**terms)) is passed


def test_an_account_without_a_challenge_is_not_judged() -> None:
    with pytest.raises(AssertionError, match="only an account in a challenge"):
        judge(an_account(), a_phase_terms(), 5, LATER)


def test_judging_changes_nothing() -> None:
    account = a_challenger("1", status=ChallengeStatus.ACTIVE)
    before = repr(account)
    judge(account, a_phase_terms(), 5, LATER)
    assert repr(account) == before


@pytest.mark.parametrize(
    ("balance", "equity", "between"),
    [
        ("100000", "100000", True),
        ("95001", "107999", True),
        ("95000", "100000", False),
        ("100000", "95000", False),
        ("108000", "100000", False),
        ("100000", "108000", False),
    ],
)
def test_balance_and_equity_both_lie_between_the_highest_floor_and_the_target(
    balance: str, equity: str, between: bool
) -> None:
    assert is_between(a_challenger(balance, equity), a_phase_terms()) is between
