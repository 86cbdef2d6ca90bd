"""Programs: saved whole, changed by version, frozen when sold."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from config.database import connection
from domain.errors import Forbidden, InvalidProgram, InvalidTransition, NotFound, VersionConflict
from domain.lifecycles import ProgramStatus
from domain.programs import phase_terms
from domain.terms import Group, GroupKind, Policy, Terms, TradingDay, Trail, fingerprint, terms_from_text
from models.tables.programs import Program, ProgramPhase
from services import programs
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection
from tests.services.builders import ADMIN, CLIENT, MANAGER, STRANGER, a_desk, a_draft, a_funded, a_group, an_evaluation


@pytest.fixture
async def desk(database: str) -> None:
    await a_desk()


async def _until_waiting(url: str, tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait until each task waits for a lock, or needs none and is done."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(20), connection(url) as watcher:
        # The server has no event for it.
        while await watcher.fetchval(waiting) < sum(not task.done() for task in tasks):
            await asyncio.sleep(0.01)


async def _freeze(program_id: int) -> tuple[Terms, str, str]:
    async with transaction() as work:
        return await programs.freeze_terms(work, program_id)


async def test_a_new_program_is_disabled_and_at_version_one(desk: None) -> None:
    program = await Program.get(
        id=await programs.create_program(MANAGER, a_draft(day_start=time(17), zone="America/New_York"))
    )
    assert (program.status, program.version, program.brand_id) == (ProgramStatus.DISABLED, 1, "acme")
    assert (program.day_start, program.zone, program.price) == (time(17), "America/New_York", Decimal(99))
    assert [phase.name for phase in await ProgramPhase.all().order_by("phase_index")] == ["Evaluation", "Funded"]


async def test_all_problems_are_told_at_once_and_nothing_is_written(desk: None) -> None:
    draft = a_draft(name="", steps=(an_evaluation(account_group="NONE"),))
    assert [problem.path for problem in await programs.validate_program(MANAGER, draft)] == [
        "name",
        "steps[0].accountGroup",
    ]
    with pytest.raises(InvalidProgram) as refusal:
        await programs.create_program(MANAGER, draft)
    assert [problem.path for problem in refusal.value.problems] == ["name", "steps[0].accountGroup"]
    assert await Program.all().count() == 0


async def test_another_brands_group_is_as_missing(desk: None) -> None:
    await a_group(STRANGER, name="THEIRS")
    steps = (an_evaluation(account_group="THEIRS"), a_funded())
    (theirs,) = await programs.validate_program(MANAGER, a_draft(steps=steps))
    (missing,) = await programs.validate_program(
        MANAGER, a_draft(steps=(an_evaluation(account_group="NOBODYS"), a_funded()))
    )
    assert theirs == replace(missing, message=missing.message.replace("NOBODYS", "THEIRS"))


async def test_a_client_neither_saves_nor_validates(desk: None) -> None:
    for verb in (programs.create_program, programs.validate_program):
        with pytest.raises(Forbidden):
            await verb(CLIENT, a_draft())


async def test_an_update_of_fields_leaves_the_steps_alone(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    before = await ProgramPhase.all().order_by("id").values()
    saved = await programs.update_program(
        MANAGER, program_id, expected_version=1, changes={"name": "New", "price": Decimal("10.50")}
    )
    program = await Program.get(id=program_id)
    assert (program.version, program.name, program.price) == (2, "New", Decimal("10.50"))
    assert [tuple(change) for change in saved.changes] == [
        ("name", "Two-step", "New"), ("price", "99", "10.5"), ("version", "1", "2"),
    ]  # fmt: skip
    assert program.description == ""
    assert program.updated_at > program.created_at
    assert await ProgramPhase.all().order_by("id").values() == before


async def test_every_change_is_audited_with_what_was_before(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    await programs.update_program(MANAGER, program_id, expected_version=1, changes={"price": Decimal("10.50")})
    await programs.update_program(MANAGER, program_id, expected_version=2, status=ProgramStatus.ACTIVE)
    with pytest.raises(VersionConflict):
        await programs.update_program(MANAGER, program_id, expected_version=1, changes={"name": "C"})
    async with read_connection() as conn:
        told = await conn.fetch(
            """select operation, object_id, before ->> 'price', after ->> 'price', before ->> 'status',
              after ->> 'status', jsonb_array_length(after -> 'steps')
            from audit where object_kind = 'program' order by id"""
        )
    name = str(program_id)
    assert [tuple(row) for row in told] == [
        ("createProgram", name, None, "99", None, "DISABLED", 2),
        ("updateProgram", name, "99", "10.5", "DISABLED", "DISABLED", 2),
        ("updateProgram", name, "10.5", "10.5", "DISABLED", "ACTIVE", 2),
    ]


async def test_all_a_step_can_say_is_frozen_with_it(desk: None) -> None:
    said: dict[str, Any] = {"best_day_pct": Decimal(40), "profitable_days": 3, "profitable_day_pct": Decimal("0.5"),
                            "inactivity_days": 30, "trading_day": TradingDay.MOVED, "trading_day_pct": Decimal("0.5"),
                            "warn_at": (Decimal("0.5"), Decimal("0.8"))}  # fmt: skip
    trailing: dict[str, Any] = {"total_loss": {"trail": "TRAIL_BALANCE", "amount": Decimal(500)}}
    payout = {"min_profit": Decimal("100.50"), "floor": "KEEP"}
    steps = (an_evaluation(**said), a_funded(payout=payout, limits=trailing, max_total_loss_pct=Decimal(0)))
    program_id = await programs.create_program(MANAGER, a_draft(steps=steps))
    terms, _, _ = await _freeze(program_id)
    assert {name: getattr(terms.phase(1), name) for name in said} == said
    assert (terms.phase(2).payout.min_profit, terms.phase(2).payout.floor) == (Decimal("100.5"), "KEEP")
    await programs.update_program(MANAGER, program_id, expected_version=1, changes={"name": "New"})
    again, _, _ = await _freeze(program_id)
    assert again.phases == terms.phases


async def test_steps_are_replaced_as_one(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    only = an_evaluation(
        name="All of it", limits={"total_loss": {"amount": Decimal(500), "trail": Trail.TRAIL_BALANCE}}
    )
    await programs.update_program(MANAGER, program_id, expected_version=1, changes={"steps": (only,)})
    terms, _, _ = await _freeze(program_id)
    assert [phase.name for phase in terms.phases] == ["All of it"]
    assert (terms.phase(1).total_loss.amount, terms.phase(1).total_loss.trail) == (Decimal(500), Trail.TRAIL_BALANCE)


async def test_an_update_is_judged_with_what_stays(desk: None) -> None:
    limits = {"total_loss": {"amount": Decimal(500)}}
    program_id = await programs.create_program(MANAGER, a_draft(steps=(an_evaluation(limits=limits), a_funded())))
    await programs.update_program(
        MANAGER, program_id, expected_version=1, changes={"name": "Stored axes are read back"}
    )
    with pytest.raises(InvalidProgram) as refusal:
        await programs.update_program(
            MANAGER, program_id, expected_version=2, changes={"zone": "", "steps": (a_funded(),)}
        )
    assert [problem.path for problem in refusal.value.problems] == ["zone", "steps[0].phaseIndex"]
    assert (await Program.get(id=program_id)).version == 2


async def test_a_version_that_is_not_the_newest_is_refused(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    await programs.update_program(MANAGER, program_id, expected_version=1, changes={"name": "B"})
    with pytest.raises(VersionConflict) as refusal:
        await programs.update_program(MANAGER, program_id, expected_version=1, changes={"name": "C"})
    assert refusal.value.facts == {"expected": 1, "actual": 2}


async def test_of_two_updates_at_once_one_wins(desk: None, database: str) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    async with connection(database) as owner:
        async with owner.transaction():  # so that both are under way before either can write
            await owner.execute("select from programs where id = $1 for no key update", program_id)
            rivals = [
                asyncio.create_task(
                    programs.update_program(MANAGER, program_id, expected_version=1, changes={"name": name})
                )
                for name in "AB"
            ]
            await _until_waiting(database, rivals)
        answers = await asyncio.gather(*rivals, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["SavedObject", "VersionConflict"]


MOVES = [
    (("ACTIVE", "DISABLED", "ACTIVE"), "ACTIVE"),
    (("ACTIVE", "ACTIVE", "ARCHIVED"), "ARCHIVED"),
    (("ARCHIVED", "DISABLED"), "DISABLED"),
]


async def test_the_status_moves_along_its_life_cycle(desk: None) -> None:
    for path, end in MOVES:
        program_id = await programs.create_program(MANAGER, a_draft())
        for version, name in enumerate(path, 1):
            await programs.update_program(MANAGER, program_id, expected_version=version, status=ProgramStatus[name])
        assert (await Program.get(id=program_id)).status == ProgramStatus[end], path


async def test_an_archived_program_is_not_activated(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    await programs.update_program(MANAGER, program_id, expected_version=1, status=ProgramStatus.ARCHIVED)
    with pytest.raises(InvalidTransition):
        await programs.update_program(MANAGER, program_id, expected_version=2, status=ProgramStatus.ACTIVE)


async def test_another_brands_program_is_as_missing(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    facts = []
    for wanted in (program_id, 10**9):
        with pytest.raises(NotFound) as refusal:
            await programs.update_program(STRANGER, wanted, expected_version=1, changes={"name": "Mine"})
        facts.append((refusal.value.field, refusal.value.facts))
    assert facts == [("id", {"id": program_id}), ("id", {"id": 10**9})]
    await programs.update_program(ADMIN, program_id, expected_version=1, changes={"name": "Theirs"})


async def test_terms_are_the_program_its_phases_and_the_groups_deposit_and_policy(desk: None) -> None:
    await a_group(name="DEMO", deposit=Decimal(25_000), policy={"leverage_max": Decimal(30)})
    program_id = await programs.create_program(MANAGER, a_draft())
    terms, text, digest = await _freeze(program_id)
    demo = Group("DEMO", GroupKind.DEMO, "USD", Decimal(25_000), Policy(leverage_max=Decimal(30)))
    real = Group("REAL", GroupKind.REAL, "USD", Decimal(100_000))
    assert terms == Terms(
        program_id=program_id,
        program_version=1,
        name="Two-step",
        price=Decimal(99),
        price_currency="USD",
        zone="UTC",
        day_start=time(0),
        phases=(phase_terms(an_evaluation(), demo), phase_terms(a_funded(), real)),
    )
    assert terms_from_text(text) == terms
    assert digest == fingerprint(text)


async def test_terms_do_not_depend_on_when_they_are_read_but_on_what_is_sold(desk: None) -> None:
    program_id = await programs.create_program(MANAGER, a_draft())
    first = await _freeze(program_id)
    assert await _freeze(program_id) == first
    await a_group(name="REAL", kind="REAL", policy={"fee_bps": Decimal(1)})
    changed = await _freeze(program_id)
    assert changed[0].program_version == 1
    assert changed[2] != first[2]


async def test_a_missing_program_has_no_terms(desk: None) -> None:
    with pytest.raises(NotFound):
        await _freeze(1)


async def test_a_program_waits_for_a_group_that_changes_its_kind(desk: None, database: str) -> None:
    async with connection(database) as owner:
        async with owner.transaction():
            await owner.execute("update account_groups set kind = 'REAL' where brand = 'acme' and name = 'DEMO'")
            saving = asyncio.create_task(programs.create_program(MANAGER, a_draft()))
            await _until_waiting(database, [saving])
        with pytest.raises(InvalidProgram) as refusal:
            await saving
    assert [problem.path for problem in refusal.value.problems] == ["steps[0].accountGroup"]
