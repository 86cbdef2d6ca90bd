"""Programs."""

from datetime import time
from typing import Annotated, Any

import strawberry

from domain.errors import InvalidInput
from domain.programs import Draft, Step
from resolvers.found import found
from schema.arguments import Filter, Id, Input, required
from schema.context import Info
from schema.filters import filters_of, usable
from schema.ids import number
from schema.paging import After, Connection, First, one, read, window
from schema.permissions import mutation, query
from schema.programs import (
    CreateProgramInput,
    CreateProgramPayload,
    Program,
    ProgramFilter,
    StepInput,
    UpdateProgramInput,
    UpdateProgramPayload,
    given_fields,
)
from services import programs
from services.principals import Role
from services.views.lists import PROGRAMS, Filters

OfBrand = Annotated[str | None, strawberry.argument(description="Of this brand.")]


@strawberry.type
class ProgramQuery:
    @query("The programs on sale, by sort index.", Role.ADMIN, Role.MANAGER, Role.CLIENT)
    async def available_programs(
        self, info: Info, first: First = 20, after: After = None, brand: OfBrand = None
    ) -> Connection[Program]:
        of_brand: Filters = () if brand is None else (("brand", (usable("brand", brand),)),)
        return await read(info, PROGRAMS, window(PROGRAMS, first, after), (("on_sale", (True,)), *of_brand))

    @query("Programs by sort index, without the archived unless asked for.", Role.ADMIN, Role.MANAGER)
    async def programs(
        self, info: Info, first: First = 20, after: After = None, which: Filter[ProgramFilter] = None
    ) -> Connection[Program]:
        hidden: Filters = () if which and which.status is not None else (("not_archived", (True,)),)
        return await read(info, PROGRAMS, window(PROGRAMS, first, after), (*filters_of(which), *hidden))

    @query("A program; null if there is none of this id.", Role.ADMIN, Role.MANAGER, Role.CLIENT)
    async def program(self, info: Info, key: Id) -> Program | None:
        return await one(info, PROGRAMS, number(key))


@strawberry.type
class ProgramMutation:
    @mutation("Make a program, with its phases; it begins DISABLED.", Role.ADMIN, Role.MANAGER)
    async def create_program(self, info: Info, given: Input[CreateProgramInput]) -> CreateProgramPayload:
        fields = _fields(given_fields(given))
        brand = fields.pop("brand", None)
        program_id = await programs.create(info.context.principal, Draft(**fields), brand=brand)
        return CreateProgramPayload(program=await found(info, PROGRAMS, program_id))

    @mutation("Change a program: its fields, its phases as a whole, its status.", Role.ADMIN, Role.MANAGER)
    async def update_program(self, info: Info, given: Input[UpdateProgramInput]) -> UpdateProgramPayload:
        changes = _fields(given_fields(given))
        program_id, version = required(changes.pop("id"), "id"), changes.pop("expected_version")
        status = changes.pop("status", None)
        await programs.update(
            info.context.principal, program_id, expected_version=version, changes=changes, status=status
        )
        return UpdateProgramPayload(program=await found(info, PROGRAMS, program_id))


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields given, as a draft has them. Raises InvalidInput for a time of day that is none."""
    if "steps" in fields:
        fields["steps"] = tuple(_step(step) for step in fields["steps"])
    if "day_start" in fields:
        try:
            fields["day_start"] = time.fromisoformat(fields["day_start"])
        except ValueError:
            raise InvalidInput("dayStart", reason="must be a time of day such as 00:00") from None
    return fields


def _step(step: StepInput) -> Step:
    fields = given_fields(step)
    limits = given_fields(fields["limits"]) if "limits" in fields else {}
    return Step(**{**fields, "limits": {name: given_fields(axes) for name, axes in limits.items()}})
