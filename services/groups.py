"""Account groups: where a phase's accounts are opened, with what deposit and under which execution policy."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import asyncpg

from domain.checks import Within, amount, api_name, text_fault
from domain.errors import InvalidInput, NotFound
from domain.ledger import Facts
from domain.money import HUNDRED
from domain.money import plain as plain_text
from domain.programs import kind_for
from domain.terms import GroupKind, PhaseType, Policy, Slippage, policy_from_text, to_data, to_text
from models import groups as rows
from models import turns
from services import brands
from services.principals import Principal, Role
from services.unit import Unit, plain

NAME_MAX = 64
POLICY = {
    "leverage_max": Within(most=Decimal(1000), above=True),
    "notional_max": Within(most=Decimal(10) ** 12, above=True),
    "positions_max": Within(least=Decimal(1), most=Decimal(10_000), places=0),
    "orders_max": Within(most=Decimal(10_000), places=0),
    "fee_bps": Within(most=Decimal(10_000)),
    "quote_age_seconds_max": Within(least=Decimal(1), most=Decimal(86_400), places=0),
    "position_equity_pct_max": Within(most=Decimal(100_000), above=True),  # with leverage a position exceeds the equity
    "liquidation_pct": Within(most=HUNDRED, below=True),  # at 100 an account would be liquidated as it starts
}


async def save(
    principal: Principal,
    *,
    name: str,
    kind: str,
    currency: str,
    deposit: Decimal,
    policy: Mapping[str, Any] | None = None,
    brand: str | None = None,
) -> int:
    """Make the brand's group of this name, or change it; answers its id. Accounts opened before keep their policy.

    `policy` has fields of Policy; what is left out, or None, takes its default. Raises Forbidden, InvalidInput,
    NotFound.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    if fault := text_fault(name, NAME_MAX):
        raise InvalidInput("name", reason=fault)
    if kind not in list(GroupKind):
        raise InvalidInput("kind", reason=f"must be one of {', '.join(GroupKind)}")
    async with plain() as work:
        await brands.require(brand)
        await turns.take(work.conn, f"group {brand} {name}")
        _check_deposit(work, currency, deposit)
        text = to_text(_policy(work, policy or {}))
        before = await rows.read(work.conn, brand, name)
        group_id = await rows.upsert(
            work.conn, brand=brand, name=name, kind=kind, currency=currency, deposit=deposit, policy=text
        )
        await _check_programs(work, group_id, GroupKind(kind))
        work.audit(
            principal,
            "saveAccountGroup",
            object_kind="account_group",
            object_id=group_id,
            brand=brand,
            before=_facts(before) if before else None,
            after={
                "name": name,
                "kind": kind,
                "currency": currency,
                "default_deposit": plain_text(deposit),
                "policy": json.loads(text),
            },
        )
    return group_id


def _facts(row: asyncpg.Record) -> Facts:
    """The group as the audit keeps it."""
    deposit = plain_text(row["default_deposit"])
    return {**row, "default_deposit": deposit, "policy": to_data(policy_from_text(row["policy"]))}


def _check_deposit(work: Unit, currency: str, deposit: Decimal) -> None:
    known = work.catalogue.currencies.get(currency)
    if known is None:
        raise NotFound("currency", currency=currency)
    if fault := amount(known.minor_units).fault(deposit):
        raise InvalidInput("defaultDeposit", reason=fault)


def _policy(work: Unit, given: Mapping[str, Any]) -> Policy:
    """The policy of the fields given; the first that cannot be used is refused by name."""
    fields = {name: _value(work, name, value) for name, value in given.items() if value is not None}
    policy = Policy(**fields)
    if not (policy.long_allowed or policy.short_allowed):
        raise InvalidInput("policy.longAllowed", reason="long or short must be allowed")
    return policy


def _value(work: Unit, name: str, value: Any) -> Any:
    """The value of one field of a policy, of the field's own type."""
    if within := POLICY.get(name):
        fault = within.fault(value)
        value = value if fault else Decimal(value) if within.places else int(value)
    elif name == "slippage":
        fault = None if value in list(Slippage) else f"must be one of {', '.join(Slippage)}"
        value = value if fault else Slippage(value)
    elif name == "symbols":
        unknown = sorted(set(value) - set(work.catalogue.instruments))
        fault = f"there is no instrument {unknown[0]!r}" if unknown else None
        value = tuple(sorted(set(value)))
    else:
        fault = None if name in ("long_allowed", "short_allowed") else "is not a field of a policy"
    if fault:
        raise InvalidInput(f"policy.{api_name(name)}", reason=fault)
    return value


async def _check_programs(work: Unit, group_id: int, kind: GroupKind) -> None:
    """A group that programs use keeps its kind: their phases were judged by it."""
    if any(kind_for(PhaseType(phase_type)) is not kind for phase_type in await rows.phase_types(work.conn, group_id)):
        raise InvalidInput("kind", reason="phases of programs need the kind it has")
