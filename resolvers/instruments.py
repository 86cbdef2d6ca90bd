"""Root fields for instruments."""

import strawberry

from resolvers.read_back import read_back
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
    @query("Tradable instruments, sorted by symbol.", Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)
    async def instruments(
        self, info: Info, first: First = 20, after: After = None, where: Filter[InstrumentFilter] = None
    ) -> Connection[Instrument]:
        return await read_page(info, INSTRUMENTS, page_request(INSTRUMENTS, first, after), filters_of(where))


@strawberry.type
class InstrumentMutation:
    @mutation("Create, change or retire an instrument.", Role.ADMIN)
    async def save_instrument(self, info: Info, data: Input[SaveInstrumentInput]) -> SaveInstrumentPayload:
        values = input_fields(data, "symbol", "expected_version")
        if data.guard:
            values["guard"] = input_fields(data.guard)
        saved = await instruments.update_instrument(
            info.context.principal,
            data.symbol,
            values,
            expected_version=data.expected_version,
        )
        return SaveInstrumentPayload(
            instrument=await read_back(info, INSTRUMENTS, saved.key, "symbol"), changes=field_changes(saved)
        )
