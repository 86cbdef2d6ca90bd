"""Account groups: deposit, currency and execution policy of the accounts that a phase opens."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tortoise.expressions import RawSQL

from domain.errors import InvalidInput, NotFound
from domain.ledger import Facts
from domain.money import HUNDRED
from domain.money import plain as plain_text
from domain.programs import kind_for
from domain.terms import GroupKind, PhaseType, Policy, Slippage, policy_facts, policy_from_text, to_text
from domain.validation import Range, amount_range, api_name, text_fault
from models import groups as rows
from models import name_locks
from models.tables.groups import AccountGroup
from services import brands
from services.principals import Principal, Role
from services.saving import SavedObject, check_version, filled_fields
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork

NAME_MAX = 64
NEEDED = ("kind", "currency", "default_deposit")
DEFAULT = Policy()
POLICY = {
    "leverage_max": Range(most=Decimal(1000), above=True),
    "notional_max": Range(most=Decimal(10) ** 12, above=True),
    "positions_max": Range(least=Decimal(1), most=Decimal(10_000), places=0),
    "orders_max": Range(most=Decimal(10_000), places=0),
    "fee_bps": Range(most=Decimal(10_000)),
    "quote_age_seconds_max": Range(least=Decimal(1), most=Decimal(86_400), places=0),
    "position_equity_pct_max": Range(most=Decimal(100_000), above=True),  # with leverage a position exceeds the equity
    "liquidation_pct": Range(most=HUNDRED, below=True),  # at 100 an account would be liquidated at its start
}


async def save_group(
    principal: Principal,
    *,
    name: str,
    kind: str,
    currency: str,
    deposit: Decimal,
    policy: Mapping[str, Any] | None = None,
    brand: str | None = None,
) -> int:
    """Create the brand's group of this name, or change these fields of it; return its id."""
    values: dict[str, Any] = {"kind": kind, "currency": currency, "default_deposit": deposit}
    if policy is not None:
        values["policy"] = policy
    return int((await update_group(principal, name, values, brand=brand)).key)


async def update_group(
    principal: Principal,
    name: str,
    values: Mapping[str, Any],
    *,
    brand: str | None = None,
    expected_version: int | None = None,
) -> SavedObject:
    """Create the brand's group of this name, or change some of its fields. Accounts opened before keep their policy.

    `values` may have kind, currency, default_deposit, and policy with some fields of Policy. What is left out stays;
    None is the default, of the whole policy or of one of its fields.
    Raises Forbidden, InvalidInput, NotFound, VersionConflict.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    if fault := text_fault(name, NAME_MAX):
        raise InvalidInput("name", reason=fault)
    async with transaction() as work:
        await brands.require_brand(brand)
        await name_locks.lock_name(work.conn, f"group {brand} {name}")
        row = await AccountGroup.filter(brand_id=brand, name=name).select_for_update(no_key=True).first()
        check_version(expected_version, row.version if row else 0)
        stored = _stored(row) if row else None
        fields = _merged(work, stored, values)
        group_id = row.id if row else None
        saved = SavedObject(group_id or 0, _facts(name, stored) if stored else None, _facts(name, fields))
        if fields == stored:
            return saved
        if row is None:
            group_id = (await AccountGroup.create(brand_id=brand, name=name, **_columns(fields))).id
        else:
            await _check_programs(work, row.id, fields["kind"])
            changes = _columns(fields) | {"version": row.version + 1, "updated_at": RawSQL("now()")}
            await AccountGroup.filter(id=row.id).update(**changes)
        work.audit(
            principal,
            "saveAccountGroup",
            object_kind="account_group",
            object_id=group_id,
            brand=brand,
            before=saved.before,
            after=saved.after,
        )
    assert group_id is not None, "it has just been made"
    return replace(saved, key=group_id)


def _stored(row: AccountGroup) -> dict[str, Any]:
    return {
        "kind": GroupKind(row.kind),
        "currency": row.currency_id,
        "default_deposit": row.default_deposit,
        "policy": policy_from_text(json.dumps(row.policy)),
    }


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": fields["kind"],
        "currency_id": fields["currency"],
        "default_deposit": fields["default_deposit"],
        "policy": json.loads(to_text(fields["policy"])),
    }


def _facts(name: str, fields: Mapping[str, Any]) -> Facts:
    """Return the group as audit facts."""
    return {
        "name": name,
        "kind": str(fields["kind"]),
        "currency": fields["currency"],
        "default_deposit": plain_text(fields["default_deposit"]),
        "policy": policy_facts(fields["policy"]),
    }


def _merged(work: UnitOfWork, stored: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all fields of the group with these values. Raises InvalidInput or NotFound, naming the first unusable
    field.
    """
    policy = values.get("policy", {})
    base = Policy() if stored is None or policy is None else stored["policy"]
    fields = filled_fields(stored, {name: value for name, value in values.items() if name != "policy"}, {}, NEEDED)
    if fields["kind"] not in list(GroupKind):
        raise InvalidInput("kind", reason=f"must be one of {', '.join(GroupKind)}")
    _check_deposit(work, fields["currency"], fields["default_deposit"])
    return fields | {"kind": GroupKind(fields["kind"]), "policy": _policy(work, base, policy or {})}


def _check_deposit(work: UnitOfWork, currency: str, deposit: Decimal) -> None:
    known = work.catalogue.currencies.get(currency)
    if known is None:
        raise NotFound("currency", currency=currency)
    if fault := amount_range(known.minor_units).fault(deposit):
        raise InvalidInput("defaultDeposit", reason=fault)


def _policy(work: UnitOfWork, base: Policy, values: Mapping[str, Any]) -> Policy:
    """Return the policy with these fields changed. Raises InvalidInput, naming the first unusable field."""
    policy = replace(base, **{name: _value(work, name, value) for name, value in values.items()})
    if not (policy.long_allowed or policy.short_allowed):
        raise InvalidInput("policy.longAllowed", reason="long or short must be allowed")
    return policy


def _value(work: UnitOfWork, name: str, value: Any) -> Any:
    """Return the value of a policy's field in the field's own type; None stands for its default."""
    if value is None and hasattr(DEFAULT, name):
        return getattr(DEFAULT, name)
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


async def _check_programs(work: UnitOfWork, group_id: int, kind: GroupKind) -> None:
    """Raise InvalidInput if a group that programs use would change its kind: their phases depend on it."""
    if any(kind_for(PhaseType(phase_type)) is not kind for phase_type in await rows.phase_types(work.conn, group_id)):
        raise InvalidInput("kind", reason="phases of programs need the kind it has")
