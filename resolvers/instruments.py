"""Instruments."""

import strawberry

from resolvers.read_back import found
from schema.arguments import Filter, Input
from schema.engine.paging import After, Connection, First, page_request, read_page
from schema.engine.permissions import mutation, query
from schema.engine.request_context import Info
from schema.filters import filters_of
from schema.instruments import (
    Instrument,
    InstrumentFilter,
    SaveInstrumentInput,
    SaveInstrumentPayload,
)
from schema.payloads import field_changes, input_fields
from services import instruments
from services.principals import Role
from services.views.lists import INSTRUMENTS


@strawberry.type
class InstrumentQuery:
    @query("What can be traded, by symbol.", Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)
    async def instruments(
        self, info: Info, first: First = 20, after: After = None, which: Filter[InstrumentFilter] = None
    ) -> Connection[Instrument]:
        return await read_page(info, INSTRUMENTS, page_request(INSTRUMENTS, first, after), filters_of(which))


@strawberry.type
class InstrumentMutation:
    @mutation("Make an instrument, change it, or retire it.", Role.ADMIN)
    async def save_instrument(self, info: Info, given: Input[SaveInstrumentInput]) -> SaveInstrumentPayload:
        values = input_fields(given, "symbol", "expected_version")
        if given.guard:
            values["guard"] = input_fields(given.guard)
        saved = await instruments.update(
            info.context.principal,
            given.symbol,
            values,
            expected_version=given.expected_version,
        )
        return SaveInstrumentPayload(
            instrument=await found(info, INSTRUMENTS, saved.key, "symbol"), changes=field_changes(saved)
        )
