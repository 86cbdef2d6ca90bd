"""Programs: saved as one aggregate with their phases, and frozen into terms at a sale."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any

import asyncpg
from tortoise.expressions import RawSQL

from domain.errors import InvalidInput, InvalidProgram, NotFound, Problem
from domain.ledger import Facts
from domain.lifecycles import ProgramStatus, move
from domain.money import plain as plain_text
from domain.programs import Draft, Step, limits_data, payout_data, phase_terms, problems
from domain.terms import Group, GroupKind, PhaseType, Terms, TradingDay, fingerprint, policy_from_text, to_text
from domain.validation import text_fault
from models import groups, program_deletion
from models import programs as rows
from models.tables.programs import Program, ProgramPhase
from services import brands
from services.groups import NAME_MAX
from services.principals import Principal, Role
from services.saving import SavedObject, check_version, filled_fields
from services.unit_of_work.openings import transaction
from services.unit_of_work.unit import UnitOfWork

FIELDS = tuple(field.name for field in fields(Draft))
DEFAULTS = {field.name: field.default for field in fields(Draft) if field.default is not MISSING}
HEAD = ("name", "description", "price", "price_currency", "sort_index", "zone", "day_start")
COLUMNS = {"price_currency": "price_currency_id"}  # fields with another name in the model
NUMBERS = (
    "duration_days",
    "max_daily_loss_pct",
    "max_total_loss_pct",
    "max_daily_profit_pct",
    "profit_target_pct",
    "profit_split",
    "min_trading_days",
    "max_trading_days",
    "max_positions",
    "best_day_pct",
    "profitable_days",
    "profitable_day_pct",
    "inactivity_days",
    "trading_day_pct",
)


async def validate_program(principal: Principal, draft: Draft, *, brand: str | None = None) -> list[Problem]:
    """Return every problem that keeps the draft from being saved. Raises Forbidden, NotFound."""
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    async with transaction() as work:
        await brands.require_brand(brand)
        found, _ = await _judge(work, brand, draft)
    return found


async def create_program(principal: Principal, draft: Draft, *, brand: str | None = None) -> int:
    """Save a new program, DISABLED; return its id. Raises Forbidden, NotFound, InvalidProgram with every problem."""
    principal.require(Role.ADMIN, Role.MANAGER)
    brand = principal.brand_for(brand)
    async with transaction() as work:
        await brands.require_brand(brand)
        ids = await _accept(work, brand, draft)
        program = await Program.create(brand_id=brand, status=ProgramStatus.DISABLED, **_columns(draft))
        await _write_steps(program.id, draft, ids)
        after = program_facts(draft, ProgramStatus.DISABLED, 1)
        work.audit(principal, "createProgram", object_kind="program", object_id=program.id, brand=brand, after=after)
    return int(program.id)


async def update_program(
    principal: Principal,
    program_id: int,
    *,
    expected_version: int,
    changes: Mapping[str, Any] | None = None,
    status: ProgramStatus | None = None,
) -> SavedObject:
    """Change fields of a program, its status, or both.

    `changes` has fields of Draft: what is left out stays, None is the default. `steps` replaces all phases: one that is
    left out goes, and a field that is left out of one is at its default. Raises Forbidden, InvalidInput, NotFound,
    VersionConflict, InvalidTransition, InvalidProgram with every problem.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    async with transaction() as work:
        program = await Program.filter(id=program_id).select_for_update(no_key=True).first()
        if program is None or not principal.sees(program.brand_id):
            raise NotFound("id", id=program_id)
        if await program_deletion.is_deletion_under_way(work.conn, program_id):
            raise InvalidInput("id", reason="must not be a program that is being deleted; ask deleteProgram to go on")
        check_version(expected_version, program.version)
        current = program.status
        target = current if status in (None, current) else move("program", current, ProgramStatus(status))
        before = await stored_program(work, program)
        draft = Draft(**filled_fields({name: getattr(before, name) for name in FIELDS}, changes or {}, DEFAULTS, ()))
        ids = await _accept(work, program.brand_id, draft)
        version = expected_version + 1
        await Program.filter(id=program_id).update(
            status=target, version=version, updated_at=RawSQL("now()"), **_columns(draft)
        )
        if changes and "steps" in changes:
            await ProgramPhase.filter(program_id=program_id).delete()
            await _write_steps(program_id, draft, ids)
        saved = SavedObject(
            program_id, program_facts(before, current, expected_version), program_facts(draft, target, version)
        )
        work.audit(
            principal,
            "updateProgram",
            object_kind="program",
            object_id=program_id,
            brand=program.brand_id,
            before=saved.before,
            after=saved.after,
        )
    return saved


async def freeze_terms(work: UnitOfWork, program_id: int) -> tuple[Terms, str, str]:
    """Return the program's terms as of now, their canonical text and its sha256. The sale has locked the program.

    Deposits, currencies and policies come from the groups. Raises NotFound.
    """
    sold = await rows.read_program_for_sale(work.conn, program_id)
    if not sold:
        raise NotFound("programId", program=program_id)
    head = sold[0]
    terms = Terms(
        program_id=head["id"],
        program_version=head["version"],
        name=head["program_name"],
        price=head["price"],
        price_currency=head["price_currency"],
        zone=head["zone"],
        day_start=head["day_start"],
        phases=tuple(phase_terms(_step(row), _group(row)) for row in sold),
    )
    text = to_text(terms)
    return terms, text, fingerprint(text)


async def stored_program(work: UnitOfWork, program: Program) -> Draft:
    """Return the program as it was saved."""
    steps = tuple(_step(row) for row in await rows.program_phases(work.conn, program.id))
    return Draft(steps=steps, **{name: getattr(program, COLUMNS.get(name, name)) for name in HEAD})


def program_facts(draft: Draft, status: ProgramStatus, version: int) -> Facts:
    """Return the program as audit facts: numbers that are not whole as text."""
    steps = [
        {
            "phase_type": step.phase_type.name,
            "name": step.name,
            "account_group": step.account_group,
            "limits": limits_data(step),
            "warn_at": _shares(step),
            "payout": payout_data(step),
            "trading_day": step.trading_day.value,
            **{name: _fact(getattr(step, name)) for name in NUMBERS},
        }
        for step in draft.steps
    ]
    return {**_head(draft), "price": plain_text(draft.price), "day_start": str(draft.day_start)} | {
        "status": status.name,
        "version": version,
        "steps": steps,
    }


def _fact(number: Decimal | int) -> str | int:
    return plain_text(number) if isinstance(number, Decimal) else number


async def _judge(work: UnitOfWork, brand: str, draft: Draft) -> tuple[list[Problem], dict[str, int]]:
    """Return the draft's problems, and the ids of its groups, locked against change."""
    asked = [step.account_group for step in draft.steps if text_fault(step.account_group, NAME_MAX) is None]
    named = await groups.lock_groups(work.conn, brand, asked)
    kinds = {row["name"]: GroupKind(row["kind"]) for row in named}
    return problems(draft, kinds, work.catalogue.currencies), {row["name"]: row["id"] for row in named}


async def _accept(work: UnitOfWork, brand: str, draft: Draft) -> dict[str, int]:
    found, ids = await _judge(work, brand, draft)
    if found:
        raise InvalidProgram(found)
    return ids


def _head(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in HEAD}


def _columns(draft: Draft) -> dict[str, Any]:
    """Return the draft's head as fields of the model."""
    return {COLUMNS.get(name, name): getattr(draft, name) for name in HEAD}


def _step(row: asyncpg.Record) -> Step:
    return Step(
        phase_index=row["phase_index"],
        phase_type=PhaseType(row["phase_type"]),
        name=row["name"],
        account_group=row["account_group"],
        limits=json.loads(row["limits"]),
        warn_at=tuple(map(Decimal, json.loads(row["warn_at"]))),
        payout=json.loads(row["payout"]),
        trading_day=TradingDay(row["trading_day"]),
        **{name: row[name] for name in NUMBERS},
    )


def _group(row: asyncpg.Record) -> Group:
    return Group(
        name=row["account_group"],
        kind=GroupKind(row["kind"]),
        currency=row["currency"],
        deposit=row["default_deposit"],
        policy=policy_from_text(row["policy"]),
    )


def _shares(step: Step) -> list[str]:
    return [plain_text(share) for share in sorted(step.warn_at)]


async def _write_steps(program_id: int, draft: Draft, group_ids: Mapping[str, int]) -> None:
    phases = [
        ProgramPhase(
            program_id=program_id,
            phase_index=step.phase_index,
            phase_type=step.phase_type,
            name=step.name,
            account_group_id=group_ids[step.account_group],
            limits=limits_data(step),
            warn_at=_shares(step),
            payout=payout_data(step),
            trading_day=step.trading_day,
            **{name: getattr(step, name) for name in NUMBERS},
        )
        for step in draft.steps
    ]
    await ProgramPhase.bulk_create(phases)
