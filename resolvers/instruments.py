"""Instruments."""

import strawberry

from domain.instruments import Instrument as Listed
from resolvers.found import found
from schema.arguments import Input
from schema.context import Info
from schema.instruments import Instrument, SaveInstrumentInput, SaveInstrumentPayload
from schema.paging import After, Connection, First, read, window
from schema.permissions import mutation, query
from services import instruments
from services.principals import Role
from services.views.lists import INSTRUMENTS


@strawberry.type
class InstrumentQuery:
    @query("What can be traded, by symbol.", Role.ADMIN, Role.MANAGER, Role.CLIENT, Role.TRADER)
    async def instruments(self, info: Info, first: First = 20, after: After = None) -> Connection[Instrument]:
        return await read(info, INSTRUMENTS, window(INSTRUMENTS, first, after))


@strawberry.type
class InstrumentMutation:
    @mutation("Make an instrument, or change its steps and precision.", Role.ADMIN)
    async def save_instrument(self, info: Info, given: Input[SaveInstrumentInput]) -> SaveInstrumentPayload:
        symbol = await instruments.save(info.context.principal, Listed(**vars(given)))
        return SaveInstrumentPayload(instrument=await found(info, INSTRUMENTS, symbol, "symbol"))
