"""Early warnings: once a day when a share of a limit is used up, before the limit is reached."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.accounts import Account, Journal
from domain.fold import catch_up
from domain.ledger import Kind
from domain.positions import Side
from domain.quotes import Batch
from domain.rule_table import Rule
from domain.rules import warn
from domain.terms import Consequence, Limit, Measured, PhaseTerms, Trail
from tests.domain.builders import (
    NOON,
    a_batch,
    a_challenger,
    a_limit,
    a_phase_terms,
    a_policy,
    a_target,
    a_total_limit,
)
from tests.domain.desk_builders import HOUR, a_holding, a_market, conditions, holding, priced

SHARES = (Decimal("0.5"), Decimal("0.8"))


def only(shares: tuple[Decimal, ...] = SHARES, **limits: Limit) -> PhaseTerms:
    """Terms without any limit but these, warning of their use."""
    bare = {"daily_loss": a_limit(), "total_loss": a_total_limit(), "profit_target": a_target("0")}
    return a_phase_terms(warn_at=shares, **bare | limits)


def told(account: Account, terms: PhaseTerms) -> list[tuple[str, str]]:
    return [(finding.rule, finding.derivation["share"]) for finding in warn(account, terms, 5, NOON)]


DAILY = only(daily_loss=a_limit("5"))
CEILING = only(daily_profit=a_limit("5"))
STOPPED = only(total_loss=a_total_limit("10", trail=Trail.TRAIL_INTRADAY, lock_at=Decimal(0)))
DUE: list[tuple[str, PhaseTerms, Account, list[str]]] = [
    ("nothing is used", DAILY, a_challenger("100000"), []),
    ("a hair before the first", DAILY, a_challenger("100000", "97500.00000001"), []),
    ("the first, when it is reached", DAILY, a_challenger("100000", "97500"), ["0.5"]),
    ("both at once", DAILY, a_challenger("100000", "95500"), ["0.5", "0.8"]),
    ("told today", DAILY, a_challenger("100000", "95500", day_findings=frozenset({"MAX_DAILY_LOSS@0.5"})), ["0.8"]),
    ("the limit was found today", DAILY, a_challenger("90000", day_findings=frozenset({"MAX_DAILY_LOSS"})), []),
    ("a gain is no loss", DAILY, a_challenger("100000", "104000"), []),
    ("below a ceiling's share", CEILING, a_challenger("100000", "102499"), []),
    ("at a ceiling's share", CEILING, a_challenger("100000", "102500"), ["0.5"]),
    ("of the balance, which has not moved", only(daily_loss=a_limit("5", measured=Measured.BALANCE)),
     a_challenger("100000", "96000"), []),
    ("of the way from the high to a floor that has stopped", STOPPED,
     a_challenger("112000", "110000", peak_equity=Decimal(120_000)), ["0.5"]),
    ("no shares, no warnings", only((), daily_loss=a_limit("5")), a_challenger("100000", "95000"), []),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "account", "shares"), [c[1:] for c in DUE], ids=[c[0] for c in DUE])
def test_a_warning_is_due(terms: PhaseTerms, account: Account, shares: list[str]) -> None:
    quiet = replace(account, policy=a_policy(liquidation_pct=Decimal(0)))
    assert [share for _, share in told(quiet, terms)] == shares


def test_the_policy_s_own_floor_is_warned_of_too() -> None:
    assert told(a_challenger("74999"), only()) == [(Rule.LIQUIDATION, "0.5")]


# 100,000 units bought at 1.1: a cent of the price is a percent of the balance.
TRADER = holding(a_challenger(metric_due_at=NOON + timedelta(days=9)), a_holding("EURUSD", Side.LONG, "100000"))
TRADER = replace(TRADER, unrealised=Decimal(0), policy=a_policy(liquidation_pct=Decimal(0)))


def folded(terms: PhaseTerms, *prices: str, wait: timedelta = timedelta(seconds=1)) -> tuple[Account, Journal]:
    tape: list[Batch] = [
        a_batch(n, priced("EURUSD", price), at=NOON + n * wait) for n, price in enumerate(prices, start=1)
    ]
    journal = Journal()
    return catch_up(TRADER, a_market(), tape, conditions(terms), journal), journal


def warned(journal: Journal) -> list[tuple[str, int, int]]:
    return [(w.derivation["share"], w.day, w.batch) for w in journal.warnings]


def test_each_share_is_told_once_a_day_and_again_the_next() -> None:
    prices = ("1.075", "1.074", "1.08", "1.073", "1.06", "1.061")
    _, journal = folded(only(total_loss=a_total_limit("5")), *prices, wait=3 * HOUR)
    assert warned(journal) == [("0.5", 1, 1), ("0.5", 2, 4), ("0.8", 2, 5)]


def test_a_warning_stands_in_the_ledger_with_what_it_rests_on_and_is_no_breach() -> None:
    account, journal = folded(DAILY, "1.075")
    (row,) = [row for row in journal.rows if row.kind is Kind.WARNING]
    facts = {"rule": "MAX_DAILY_LOSS", "share": "0.5", "limit": "5", "floor": "97500", "observed": "97495", "day": 1}
    assert {name: row.facts[name] for name in facts} == facts
    assert [(w.ledger_seq, w.ledger_hash) for w in journal.warnings] == [(row.seq, row.hash)]
    assert not journal.findings and not journal.verdicts
    assert not account.read_only and account.blocked_until is None


def test_a_breach_speaks_for_itself() -> None:
    """A gap through the floor fails the phase; that half of the way had gone before is no news."""
    account, journal = folded(DAILY, "1.04")
    assert [(f.rule, f.consequence) for f in journal.findings] == [("MAX_DAILY_LOSS", Consequence.FAIL)]
    assert account.read_only
    assert not journal.warnings


@pytest.mark.parametrize("consequence", [Consequence.WARN, Consequence.PAUSE_DAY])
def test_a_limit_that_fails_nothing_is_warned_of_before_and_not_after(consequence: Consequence) -> None:
    terms = only(daily_loss=a_limit("5", consequence=consequence))
    _, journal = folded(terms, "1.075", "1.04", "1.055", "1.09", "1.055")
    assert warned(journal) == [("0.5", 1, 1)]
    assert [(f.consequence, f.batch) for f in journal.findings] == [(consequence, 2)]
