"""The axes of a phase's limits by their names in the API, and the validation of their values."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.money import ZERO
from domain.terms import (
    Consequence,
    Enforcement,
    Group,
    GroupKind,
    Limit,
    Measured,
    PercentOf,
    PhaseTerms,
    PhaseType,
    PositionsLimit,
    Reference,
    Touch,
    Trail,
)
from domain.validation import amount_range, api_name

Axes = Mapping[str, Any]
"""Fields of Limit or PositionsLimit by name, amounts as numbers or text; one left out, or None, has its default."""

Faults = Iterator[tuple[str, str]]
"""Path and what is wrong there."""

PERCENTAGES = {
    "daily_loss": "max_daily_loss_pct",
    "total_loss": "max_total_loss_pct",
    "daily_profit": "max_daily_profit_pct",
    "profit_target": "profit_target_pct",
}
"""Each limit and the field of a step that holds its percentage."""
SIZES = PERCENTAGES | {"max_positions": "max_positions"}
"""Each limit and the field of a step that configures it."""

_PHASE = PhaseTerms(0, PhaseType.EVALUATION, "", Group("", GroupKind.DEMO, "", ZERO))
DEFAULTS: dict[str, Limit] = {name: getattr(_PHASE, name) for name in PERCENTAGES}

AXES: dict[str, frozenset[str]] = {
    "daily_loss": frozenset({"amount", "reference", "percent_of", "measured", "touch", "consequence"}),
    "total_loss": frozenset(
        {"amount", "percent_of", "measured", "trail", "trail_by", "lock_at", "touch", "consequence"}
    ),
    "daily_profit": frozenset({"amount", "reference", "percent_of", "measured", "touch", "consequence"}),
    "profit_target": frozenset({"amount", "measured", "touch"}),
    "max_positions": frozenset({"enforced", "consequence"}),
}
"""The axes that mean something for each limit."""

CHOICES: dict[str, type[StrEnum]] = {
    "reference": Reference,
    "percent_of": PercentOf,
    "measured": Measured,
    "trail": Trail,
    "trail_by": Reference,
    "touch": Touch,
    "consequence": Consequence,
    "enforced": Enforcement,
}
AMOUNTS = {"amount": amount_range(8), "lock_at": amount_range(8, above=False)}


def axis_faults(limits: Mapping[str, Axes], sizes: Mapping[str, Decimal | int]) -> Faults:
    """Yield what is wrong with the axes; `sizes` has what configures each limit: its percentage, or a count."""
    for name, axes in limits.items():
        at = f"limits.{api_name(name)}"
        if name not in AXES:
            yield at, "is not a limit"
            continue
        inputs = {axis: value for axis, value in axes.items() if value is not None}
        for axis, value in inputs.items():
            if fault := _axis_fault(name, axis, value) or _idle_fault(sizes[name], name, axis, inputs):
                yield f"{at}.{api_name(axis)}", fault
        if "amount" in inputs and name in PERCENTAGES and sizes[name]:
            yield f"{at}.amount", f"stands instead of {api_name(PERCENTAGES[name])}, not beside it"


def _default(name: str) -> Limit | PositionsLimit:
    return _PHASE.positions if name == "max_positions" else DEFAULTS[name]


def _idle_fault(size: Decimal | int, name: str, axis: str, inputs: Axes) -> str | None:
    """Return why an axis that differs from its default has no effect on this step, or None."""
    if inputs[axis] == getattr(_default(name), axis):
        return None
    if name == "max_positions" and axis == "consequence" and inputs.get("enforced") != Enforcement.BREACH:
        return "has no effect: a gate only refuses"
    if axis == "lock_at" and inputs.get("trail", Trail.STATIC) == Trail.STATIC:
        return "only a trailing limit can lock"
    if axis == "trail_by" and inputs.get("trail") != Trail.TRAIL_END_OF_DAY:
        return "has no effect: only TRAIL_END_OF_DAY follows a figure of a day's end"
    if "amount" not in inputs and not size:
        return f"has no effect without {api_name(SIZES[name])}{' or an amount' if name in PERCENTAGES else ''}"
    return "has no effect beside an amount" if axis == "percent_of" and "amount" in inputs else None


def _axis_fault(name: str, axis: str, value: Any) -> str | None:
    default = _default(name)
    known = {item.name for item in fields(default)}
    if axis not in known or (axis not in AXES[name] and value != getattr(default, axis)):
        return f"means nothing for {api_name(name)}"
    if axis in AMOUNTS:
        return AMOUNTS[axis].fault(Decimal(value))
    if name == "total_loss" and value == PercentOf.DAY_START_BALANCE:
        return "only a daily limit can be of the day's starting balance"
    choices = [choice.value for choice in CHOICES.get(axis, ())]
    return None if value in choices else f"must be one of {', '.join(choices)}"
