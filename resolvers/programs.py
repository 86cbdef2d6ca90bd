"""Root fields for programs."""

from dataclasses import asdict
from typing import Annotated, Any

import strawberry

from domain.lifecycles import ProgramStatus
from domain.programs import Draft, Step, time_of_day
from resolvers.read_back import read_back
from schema.arguments import Filter, Id, Input, required
from schema.engine.ids import parse_id
from schema.engine.paging import After, Connection, First, page_request, read_one, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.payloads import field_changes, input_fields, problem_errors
from schema.phase_inputs import StepInput
from schema.programs import (
    CreateProgramInput,
    CreateProgramPayload,
    DeletedRows,
    DeleteProgramInput,
    DeleteProgramPayload,
    Program,
    ProgramFilter,
    ProgramPreset,
    ProgramValidation,
    UpdateProgramInput,
    UpdateProgramPayload,
    input_fields_of,
    validation_of,
)
from services import presets, program_deletion, programs
from services.principals import Role
from services.views.lists import PROGRAMS, Filters

ON_SALE: Filters = (("status", ((ProgramStatus.ACTIVE.value,),)),)
NOT_ARCHIVED: Filters = (("status", (tuple(one.value for one in ProgramStatus if one is not ProgramStatus.ARCHIVED),)),)

OfBrand = Annotated[str | None, strawberry.argument(description="Only programs of this brand.")]


@strawberry.type
class ProgramQuery:
    @query("Programs on sale, in their sort order.", Role.ADMIN, Role.MANAGER, Role.CLIENT)
    async def available_programs(
        self, info: Info, first: First = 20, after: After = None, brand: OfBrand = None
    ) -> Connection[Program]:
        of_brand: Filters = () if brand is None else (("brand", (brand,)),)
        return await read_page(info, PROGRAMS, page_request(PROGRAMS, first, after), (*ON_SALE, *of_brand))

    @query(
        "Programs in their sort order. ARCHIVED programs are included only if the filter asks for them.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def programs(
        self, info: Info, first: First = 20, after: After = None, where: Filter[ProgramFilter] = None
    ) -> Connection[Program]:
        hidden: Filters = () if where and where.status is not None else NOT_ARCHIVED
        return await read_page(info, PROGRAMS, page_request(PROGRAMS, first, after), (*filters_of(where), *hidden))

    @query(
        "Program with this id; null if it does not exist or the token may not read it.",
        Role.ADMIN,
        Role.MANAGER,
        Role.CLIENT,
    )
    async def program(self, info: Info, key: Id) -> Program | None:
        return await read_one(info, PROGRAMS, parse_id(key))

    @query(
        "Validate a program: return everything that would prevent it from being saved. Nothing is written.",
        Role.ADMIN,
        Role.MANAGER,
        refusals=True,
    )
    async def validate_program(self, info: Info, data: Input[CreateProgramInput]) -> ProgramValidation:
        brand, draft = _draft(data)
        wrong = await programs.validate_program(info.context.principal, draft, brand=brand)
        now = await info.context.loaders.market_time()
        return validation_of(draft, problem_errors(wrong), now)

    @query("Rules of known firms, as starting points for programs.", Role.ADMIN, Role.MANAGER)
    async def program_presets(self) -> list[ProgramPreset]:
        return [ProgramPreset(**asdict(preset)) for preset in presets.all_presets()]


@strawberry.type
class ProgramMutation:
    @mutation("Create a program with its phases; it starts DISABLED.", Role.ADMIN, Role.MANAGER)
    async def create_program(self, info: Info, data: Input[CreateProgramInput]) -> CreateProgramPayload:
        brand, draft = _draft(data)
        program_id = await programs.create_program(info.context.principal, draft, brand=brand)
        return CreateProgramPayload(program=await read_back(info, PROGRAMS, program_id))

    @mutation("Change a program: its fields, its status, or all its phases.", Role.ADMIN, Role.MANAGER)
    async def update_program(self, info: Info, data: Input[UpdateProgramInput]) -> UpdateProgramPayload:
        program_id, changes = required(data.id, "id"), _fields(input_fields(data, "id", "expected_version"))
        status = changes.pop("status", None)
        saved = await programs.update_program(
            info.context.principal, program_id, expected_version=data.expected_version, changes=changes, status=status
        )
        return UpdateProgramPayload(program=await read_back(info, PROGRAMS, program_id), changes=field_changes(saved))

    @mutation(
        "Delete a program with everything sold of it. Running challenges are cancelled first; accounts and money stay.",
        Role.ADMIN,
        Role.MANAGER,
    )
    async def delete_program(self, info: Info, data: Input[DeleteProgramInput]) -> DeleteProgramPayload:
        program_id = required(data.id, "id")
        deleted = await program_deletion.delete_program(
            info.context.principal, program_id, data.reason, data.shown_reason
        )
        return DeleteProgramPayload(deleted=DeletedRows(**deleted), finished=deleted["programs"] == 1)


def _draft(data: CreateProgramInput) -> tuple[str | None, Draft]:
    fields = _fields(input_fields_of(data))
    return fields.pop("brand", None), Draft(**fields)


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the input's fields in the form of a draft."""
    if fields.get("steps") is not None:
        fields["steps"] = tuple(_step(step) for step in fields["steps"])
    if fields.get("day_start") is not None:
        fields["day_start"] = time_of_day(fields["day_start"])
    return fields


def _step(step: StepInput) -> Step:
    fields = input_fields_of(step)
    limits = input_fields_of(fields["limits"]) if "limits" in fields else {}
    fields["limits"] = {name: input_fields_of(axes) for name, axes in limits.items()}
    fields["payout"] = input_fields_of(fields["payout"]) if "payout" in fields else {}
    return Step(**{**fields, "warn_at": tuple(fields.get("warn_at", ()))})
