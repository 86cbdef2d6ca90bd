"""Worked examples: our own table always, published cases of real firms where the file lies beside the repository."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain import rules
from domain.money import HUNDRED, ZERO, divide, multiply, round8
from domain.positions import Position, Side
from domain.rule_table import Rule
from domain.terms import Limit, PercentOf, Reference, Trail
from tests.domain.builders import a_limit, a_position, a_target, a_total_limit, level_of

PUBLISHED = Path(__file__).parents[3] / "shared" / "conformance" / "rules.json"

Case = dict[str, Any]

PEAKS = {
    Trail.TRAIL_INTRADAY: "peak_equity",
    Trail.TRAIL_BALANCE: "peak_balance",
    Trail.TRAIL_END_OF_DAY: "peak_end_of_day",
}


def published(section: str) -> list[Any]:
    """One parameter a case, named by its id; a single skipped one where the file is absent."""
    if not PUBLISHED.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="conformance/rules.json is not here"))]
    cases: list[Case] = json.loads(PUBLISHED.read_text())[section]
    return [pytest.param(case, id=case["id"]) for case in cases]


def limit_of(case: Case) -> Limit:
    """The file's percentages are fractions; ours are the source's hundredths."""
    lock = case.get("lock_at_initial_plus")
    return Limit(
        pct=multiply(Decimal(case.get("pct", "0")), HUNDRED),
        amount=Decimal(case["amount"]) if "amount" in case else None,
        reference=Reference(case.get("reference", "EQUITY")),
        percent_of=PercentOf(case.get("percent_of", "INITIAL")),
        trail=Trail(case.get("trail", "STATIC")),
        lock_at=None if lock is None else Decimal(lock),
    )


@pytest.mark.parametrize("case", published("daily_floor"))
def test_a_published_daily_floor(case: Case) -> None:
    start = {name: Decimal(case[name]) for name in ("day_start_balance", "day_start_equity")}
    level = level_of(Rule.MAX_DAILY_LOSS, limit_of(case), Decimal(case["initial"]), **start)
    assert level == Decimal(case["floor"])


@pytest.mark.parametrize("case", published("total_floor"))
def test_a_published_total_floor(case: Case) -> None:
    """Only the high its limit trails has the case's history; the others stay where they began."""
    limit, initial = limit_of(case), Decimal(case["initial"])
    peak = max([initial, *map(Decimal, case["highs"])])
    peaks = {PEAKS[limit.trail]: peak} if limit.trail in PEAKS else {}
    assert level_of(Rule.MAX_TOTAL_LOSS, limit, initial, **peaks) == Decimal(case["floor"])


@pytest.mark.parametrize("case", published("best_day"))
def test_a_published_best_day(case: Case) -> None:
    pct, days = multiply(Decimal(case["pct"]), HUNDRED), [Decimal(day) for day in case["days"]]
    assert sum(days) == Decimal(case["total"])
    assert rules.best_day_holds(pct, max(days), sum(days, ZERO)) is case["eligible"]
    assert rules.best_day_needs(pct, max(days)) == Decimal(case["required_total"])


def close_to(value: Decimal, expected: str, places: int) -> bool:
    """Equal at so many places, or at those the expected value was printed with."""
    printed = Decimal(expected)
    exponent = printed.as_tuple().exponent
    assert isinstance(exponent, int)
    unit = Decimal(1).scaleb(max(-places, exponent))
    return abs(value - printed) <= unit / 2


@pytest.mark.parametrize("case", published("position"))
def test_a_published_position(case: Case) -> None:
    """The first fill says the side; the others of its kind add to it. Fees are booked fill by fill."""
    opens = case["fills"][0][0]
    held: Position = a_position(side=Side.LONG if opens == "B" else Side.SHORT)
    net = ZERO
    for (kind, quantity_text, price_text), expected in zip(case["fills"], case["expect"], strict=True):
        quantity, price = Decimal(quantity_text), Decimal(price_text)
        before = held
        if kind == opens:
            held = held.add(quantity, price)
        else:
            held = held.reduce(quantity, price)
            net += held.realised - before.realised
        net -= round8(multiply(multiply(quantity, price), Decimal(case["fee_rate"])))
        if expected is None:
            continue
        shown = held if held.quantity else before
        assert held.quantity * held.side.sign == Decimal(expected["quantity"])
        average = divide(shown.cost_basis, shown.quantity)
        assert close_to(average, expected["avg_entry"], expected["places_avg"])
        assert close_to(net, expected["realised_net"], expected["places_pnl"])


BALANCE, HIGHER, INITIALLY = Reference.BALANCE, Reference.HIGHER, PercentOf.INITIAL

DAILY = [
    ("the defaults: of the day's equity", a_limit("5"), "105000", "107000", "101650", "112350"),
    ("of the day's balance", a_limit("5", reference=BALANCE), "105000", "107000", "99750", "110250"),
    ("of the higher, equity", a_limit("5", reference=HIGHER), "105000", "107000", "101650", "112350"),
    ("of the higher, balance", a_limit("5", reference=HIGHER), "105000", "91000", "99750", "110250"),
    ("initial percent below equity", a_limit("5", percent_of=INITIALLY), "105000", "107000", "102000", "112000"),
    (
        "of its starting balance",
        a_limit("5", percent_of=PercentOf.DAY_START_BALANCE),
        "104000",
        "107000",
        "101800",
        "112200",
    ),
    ("a fixed amount", a_limit("5", amount=Decimal(2000)), "105000", "107000", "105000", "109000"),
    ("rounded half-even to eight places", a_limit("0.0005"), "0", "0.00300000", "0.00299998", "0.00300002"),
]


@pytest.mark.parametrize(
    ("limit", "balance", "equity", "floor", "ceiling"), [c[1:] for c in DAILY], ids=[c[0] for c in DAILY]
)
def test_daily_levels(limit: Limit, balance: str, equity: str, floor: str, ceiling: str) -> None:
    start = {"day_start_balance": Decimal(balance), "day_start_equity": Decimal(equity)}
    assert level_of(Rule.MAX_DAILY_LOSS, limit, **start) == Decimal(floor)
    assert level_of(Rule.MAX_DAILY_PROFIT, limit, **start) == Decimal(ceiling)


INTRADAY, CLOSED, END_OF_DAY = Trail.TRAIL_INTRADAY, Trail.TRAIL_BALANCE, Trail.TRAIL_END_OF_DAY
TWO = Decimal(2000)

TOTAL = [
    ("static, of the initial balance", a_total_limit("10"), "90000"),
    ("highest equity", a_total_limit("10", trail=INTRADAY), "98000"),
    ("highest closed balance", a_total_limit("10", trail=CLOSED), "95000"),
    ("highest end of day", a_total_limit("10", trail=END_OF_DAY), "93000"),
    ("percent of the high itself", a_limit("10", trail=INTRADAY), "97200"),
    ("an amount below the high", a_total_limit(amount=TWO, trail=CLOSED), "103000"),
    ("stopped at the initial balance", a_total_limit(amount=TWO, trail=CLOSED, lock_at=ZERO), "100000"),
    ("stopped a little above it", a_total_limit(amount=TWO, trail=CLOSED, lock_at=Decimal(100)), "100100"),
    ("not yet at its stop", a_total_limit(amount=TWO, trail=CLOSED, lock_at=Decimal(5000)), "103000"),
    ("a stop below the start stops it there", a_total_limit(amount=TWO, trail=CLOSED, lock_at=Decimal(-9000)), "98000"),
    ("a static floor knows no stop", a_total_limit("10", lock_at=Decimal(-20_000)), "90000"),
]


@pytest.mark.parametrize(("limit", "floor"), [c[1:] for c in TOTAL], ids=[c[0] for c in TOTAL])
def test_total_floors(limit: Limit, floor: str) -> None:
    """Initial 100,000; equity has been 108,000, the balance 105,000, at a day's end 103,000."""
    peaks = dict(zip(PEAKS.values(), map(Decimal, (108_000, 105_000, 103_000)), strict=True))
    assert level_of(Rule.MAX_TOTAL_LOSS, limit, **peaks) == Decimal(floor)


def test_a_high_below_the_initial_balance_lowers_no_floor() -> None:
    limit = a_total_limit("10", trail=END_OF_DAY)
    assert level_of(Rule.MAX_TOTAL_LOSS, limit, **dict.fromkeys(PEAKS.values(), Decimal(95_000))) == 90_000


TARGETS = [("in percent", a_target("8"), "108000"), ("an amount", a_target(amount=Decimal(2500)), "102500")]


@pytest.mark.parametrize(("limit", "level"), [c[1:] for c in TARGETS], ids=[c[0] for c in TARGETS])
def test_target_levels(limit: Limit, level: str) -> None:
    assert level_of(Rule.PROFIT_TARGET, limit) == Decimal(level)


BEST_DAYS = [
    ("exactly the share", "40", "600", "1500", True, "1500"),
    ("a hair above it", "40", "600.00000001", "1500", False, "1500.00000003"),
    ("not configured", "0", "600", "600", True, None),
    ("no net profit", "40", "600", "-1", False, "1500"),
    ("only losing days", "40", "0", "-500", False, "0"),
]


@pytest.mark.parametrize(
    ("pct", "best", "net", "holds", "needs"), [c[1:] for c in BEST_DAYS], ids=[c[0] for c in BEST_DAYS]
)
def test_the_best_day_s_share(pct: str, best: str, net: str, holds: bool, needs: str | None) -> None:
    assert rules.best_day_holds(Decimal(pct), Decimal(best), Decimal(net)) is holds
    if needs is not None:
        assert rules.best_day_needs(Decimal(pct), Decimal(best)) == Decimal(needs)
