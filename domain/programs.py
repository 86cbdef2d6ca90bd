"""Program drafts as a manager writes them, and the check that reports all their problems at once.

Percentages are the source's: 5 means 5 %; 0 means not configured. The shape is the source's "Funded Phase Rules".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Any

from domain.calendar import is_zone
from domain.errors import InvalidInput, NotFound, Problem
from domain.instruments import Currency
from domain.limit_axes import DEFAULTS, PERCENTAGES, SIZES, Axes, Faults, axis_faults
from domain.money import HUNDRED, ONE, ZERO, plain
from domain.terms import (
    Consequence,
    Enforcement,
    Group,
    GroupKind,
    Limit,
    PayoutFloor,
    PayoutTerms,
    PhaseTerms,
    PhaseType,
    PositionsLimit,
    TradingDay,
    Trail,
    limit_from_data,
)
from domain.validation import Range, amount_range, api_name, text_fault

STEPS_MAX = 20
WARNINGS_MAX = 10
DAYS_MAX = 3660
POSITIONS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """A phase of a program. `account_group` is a group's name; `limits` has the axes of each limit by its name.

    `warn_at` are shares of each limit at which a warning is sent; `payout` has fields of PayoutTerms.
    """

    phase_index: int
    phase_type: PhaseType
    name: str
    account_group: str
    duration_days: int = 0
    max_daily_loss_pct: Decimal = ZERO
    max_total_loss_pct: Decimal = ZERO
    max_daily_profit_pct: Decimal = ZERO
    profit_target_pct: Decimal = ZERO
    profit_split: Decimal = ZERO
    min_trading_days: int = 0
    max_trading_days: int = 0
    max_positions: int = 0
    best_day_pct: Decimal = ZERO
    profitable_days: int = 0
    profitable_day_pct: Decimal = ZERO
    inactivity_days: int = 0
    trading_day: TradingDay = TradingDay.FILL
    trading_day_pct: Decimal = ZERO
    limits: Mapping[str, Axes] = field(default_factory=dict)
    warn_at: tuple[Decimal, ...] = ()
    payout: Axes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A program as it is to be saved; `day_start` is local to `zone`."""

    name: str
    price: Decimal
    price_currency: str
    steps: tuple[Step, ...]
    description: str = ""
    sort_index: int = 0
    zone: str = "UTC"
    day_start: time | str = time(0)  # text that is no time of day is a problem like others

    @property
    def profit_split(self) -> Decimal:
        """The funded phase's; 0 where there is none."""
        return max((step.profit_split for step in self.steps if step.phase_type is PhaseType.FUNDED), default=ZERO)


NUMBERS = {
    "max_daily_loss_pct": Range(most=HUNDRED),
    "max_total_loss_pct": Range(most=HUNDRED),
    "max_daily_profit_pct": Range(most=Decimal(10_000)),
    "profit_target_pct": Range(most=Decimal(10_000)),
    "profit_split": Range(most=ONE),
    "duration_days": Range(most=Decimal(DAYS_MAX)),
    "min_trading_days": Range(most=Decimal(DAYS_MAX)),
    "max_trading_days": Range(most=Decimal(DAYS_MAX)),
    "max_positions": Range(most=Decimal(POSITIONS_MAX)),
    "best_day_pct": Range(most=HUNDRED),
    "profitable_days": Range(most=Decimal(DAYS_MAX)),
    "profitable_day_pct": Range(most=HUNDRED),
    "inactivity_days": Range(most=Decimal(DAYS_MAX)),
    "trading_day_pct": Range(most=HUNDRED),
}
SHARE = Range(most=ONE, above=True, below=True)
PAYOUT = {
    "min_profit": amount_range(8, above=False),
    "min_amount": amount_range(8, above=False),
    "min_buffer": amount_range(8, above=False),
    "min_trading_days": Range(most=Decimal(DAYS_MAX)),
    "profitable_days": Range(most=Decimal(DAYS_MAX)),
    "cycle_days": Range(most=Decimal(DAYS_MAX)),
}


def limits_data(step: Step) -> dict[str, dict[str, str]]:
    """Return the axes of the draft as stored, as text."""
    return {
        name: {axis: _plain_text(value) for axis, value in axes.items() if value is not None}
        for name, axes in step.limits.items()
    }


def payout_data(step: Step) -> dict[str, str | int]:
    """Return the payout terms of the draft as stored, amounts as text."""
    return {
        name: value if isinstance(value, int) else _plain_text(value)
        for name, value in step.payout.items()
        if value is not None
    }


def _plain_text(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)


def phase_terms(step: Step, group: Group) -> PhaseTerms:
    """Return the step as it is sold, in its group."""
    return PhaseTerms(
        index=step.phase_index,
        type=step.phase_type,
        name=step.name,
        group=group,
        profit_split=step.profit_split,
        duration_days=step.duration_days,
        min_trading_days=step.min_trading_days,
        max_trading_days=step.max_trading_days,
        max_positions=step.max_positions,
        best_day_pct=step.best_day_pct,
        profitable_days=step.profitable_days,
        profitable_day_pct=step.profitable_day_pct,
        inactivity_days=step.inactivity_days,
        trading_day=step.trading_day,
        trading_day_pct=step.trading_day_pct,
        warn_at=tuple(sorted(step.warn_at)),
        payout=_payout(step),
        positions=_positions(step),
        **{name: _limit(step, name) for name in PERCENTAGES},
    )


def _positions(step: Step) -> PositionsLimit:
    axes = limits_data(step).get("max_positions", {})
    default = PositionsLimit()
    return PositionsLimit(
        Enforcement(axes.get("enforced", default.enforced)), Consequence(axes.get("consequence", default.consequence))
    )


def _limit(step: Step, name: str) -> Limit:
    axes = limits_data(step).get(name, {})
    return limit_from_data({**axes, "pct": plain(getattr(step, PERCENTAGES[name]))}, DEFAULTS[name])


def _payout(step: Step) -> PayoutTerms:
    amounts = dict.fromkeys(("min_profit", "min_amount", "min_buffer"), Decimal)
    kinds: dict[str, Callable[[Any], Any]] = {**amounts, "floor": PayoutFloor, "fee_back": bool}
    return PayoutTerms(**{name: kinds.get(name, int)(value) for name, value in payout_data(step).items()})


def kind_for(phase_type: PhaseType) -> GroupKind:
    """Return the kind of group a phase's accounts are opened in."""
    return GroupKind.REAL if phase_type is PhaseType.FUNDED else GroupKind.DEMO


def problems(draft: Draft, groups: Mapping[str, GroupKind], currencies: Mapping[str, Currency]) -> list[Problem]:
    """Return everything that is wrong with the draft, in the order of its fields; `groups` are the brand's."""
    faults = [Problem(path, InvalidInput.code, message) for path, message in _head(draft, currencies)]
    if draft.price_currency not in currencies:
        faults.append(Problem("priceCurrency", NotFound.code, f"there is no currency {draft.price_currency!r}"))
    faults += [Problem(path, InvalidInput.code, message) for path, message in _shape(draft.steps)]
    for place, step in enumerate(draft.steps[:STEPS_MAX]):
        at = f"steps[{place}]"
        faults += [Problem(f"{at}.{path}", InvalidInput.code, message) for path, message in _step(step)]
        if step.payout.get("fee_back") and not draft.price:
            message = "has no effect: the program costs nothing"
            faults.append(Problem(f"{at}.payout.feeBack", InvalidInput.code, message))
        faults += _group(f"{at}.accountGroup", step, groups)
    return faults


def _head(draft: Draft, currencies: Mapping[str, Currency]) -> Faults:
    currency = currencies.get(draft.price_currency)
    checks = {
        "name": text_fault(draft.name, 200),
        "description": text_fault(draft.description, 10_000, empty=True),
        "price": amount_range(currency.minor_units if currency else 8, above=False).fault(draft.price),
        "sortIndex": Range(Decimal(-(2**31)), Decimal(2**31 - 1), places=0).fault(draft.sort_index),
        "zone": None
        if is_zone(draft.zone)
        else f"is neither an IANA time zone nor an offset such as GMT+3: {draft.zone!r}",
        "dayStart": _day_start_fault(draft.day_start),
    }
    yield from ((path, fault) for path, fault in checks.items() if fault)


def time_of_day(text: str) -> time | str:
    """Return the time that the text tells, or the text."""
    try:
        return time.fromisoformat(text)
    except ValueError:
        return text


def _day_start_fault(start: time | str) -> str | None:
    if isinstance(start, str):
        return "must be a time of day such as 00:00"
    return "has an offset of its own" if start.tzinfo else None


def _shape(steps: Sequence[Step]) -> Faults:
    """Phases count from 1 without gaps; at most one is funded, and it is the last."""
    if not 1 <= len(steps) <= STEPS_MAX:
        yield "steps", f"must be 1 to {STEPS_MAX}"
    for place, step in enumerate(steps[:STEPS_MAX]):
        if step.phase_index != place + 1:
            yield f"steps[{place}].phaseIndex", f"must be {place + 1}: phases count from 1, in order, without gaps"
        if step.phase_type is PhaseType.FUNDED and place != len(steps) - 1:
            yield f"steps[{place}].phaseType", "only the last phase can be funded"


def _step(step: Step) -> Faults:
    if fault := text_fault(step.name, 200):
        yield "name", fault
    sound = True
    for name, within in NUMBERS.items():
        if fault := within.fault(getattr(step, name)):
            sound = False
            yield api_name(name), fault
    yield from axis_faults(step.limits, {name: getattr(step, its) for name, its in SIZES.items()})
    yield from _warnings(step.warn_at)
    yield from _payout_faults(step)
    if sound:  # numbers that are none cannot be compared
        yield from _together(step)


def _together(step: Step) -> Faults:
    """Yield the problems between fields that depend on each other."""
    funded, target = step.phase_type is PhaseType.FUNDED, step.profit_target_pct > 0
    target_amount = step.limits.get("profit_target", {}).get("amount") is not None
    if funded and not step.profit_split:
        yield "profitSplit", "a funded phase shares its profit: above 0, at most 1"
    if not funded and step.profit_split:
        yield "profitSplit", "only a funded phase shares its profit"
    if funded and (target or target_amount):
        yield "profitTargetPct", "a funded phase has no target: it ends by its days or by a breach"
    if not funded and not (target or target_amount):
        yield "profitTargetPct", "an evaluation phase needs a target"
    if (step.trading_day is TradingDay.MOVED) != bool(step.trading_day_pct):
        yield "tradingDayPct", "goes with tradingDay MOVED, and above 0"
    if step.profitable_day_pct and not (step.profitable_days or step.payout.get("profitable_days")):
        yield "profitableDayPct", "has no effect without profitableDays, here or in the payout's terms"
    for most in ("max_trading_days", "duration_days"):
        for least in ("min_trading_days", "profitable_days"):
            if 0 < getattr(step, most) < getattr(step, least):
                yield api_name(most), f"is less than {api_name(least)}"


def _warnings(shares: Sequence[Decimal]) -> Faults:
    if len(shares) > WARNINGS_MAX:
        yield "warnAt", f"must be at most {WARNINGS_MAX}"
    for place, share in enumerate(shares):
        if fault := SHARE.fault(share):
            yield f"warnAt[{place}]", fault
        elif share in shares[:place]:
            yield f"warnAt[{place}]", "occurs twice"


def _payout_faults(step: Step) -> Faults:
    given = {name: value for name, value in step.payout.items() if value is not None}
    if given and step.phase_type is not PhaseType.FUNDED:
        yield "payout", "only a funded phase pays out"
    for name, value in given.items():
        if within := PAYOUT.get(name):
            fault = within.fault(Decimal(value))
        elif name == "floor":
            fault = None if value in list(PayoutFloor) else f"must be one of {', '.join(PayoutFloor)}"
        elif name == "fee_back":
            fault = None if isinstance(value, bool) else "must be true or false"
        else:
            fault = "is not a field of a payout's terms"
        if fault:
            yield f"payout.{api_name(name)}", fault
    if given.get("floor") in (PayoutFloor.KEEP, PayoutFloor.RESET) and not _trails(step):
        yield "payout.floor", "has no effect: only a total loss that trails has a floor to keep or to reset"


def _trails(step: Step) -> bool:
    """Return whether the floor of the step's total loss trails a high."""
    return (step.limits.get("total_loss", {}).get("trail") or Trail.STATIC) != Trail.STATIC


def _group(path: str, step: Step, groups: Mapping[str, GroupKind]) -> list[Problem]:
    kind, wanted = groups.get(step.account_group), kind_for(step.phase_type)
    if kind is None:
        return [Problem(path, NotFound.code, f"there is no account group {step.account_group!r}")]
    if kind is not wanted:
        return [Problem(path, InvalidInput.code, f"must be a {wanted} group for this type of phase")]
    return []
