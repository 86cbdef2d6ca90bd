"""Instruments."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import UNSET, field

from domain.instruments import InstrumentKind, InstrumentStatus
from schema.described import described
from schema.payloads import SavePayload
from schema.rows import FromRow
from services.views.lists import INSTRUMENTS

described(
    InstrumentKind,
    "InstrumentKind",
    "What an instrument's underlying is.",
    FOREX="A currency, priced in another.",
    METAL="A precious metal, in ounces.",
    CRYPTO="A coin.",
    INDEX="An index of shares, in its points.",
    COMMODITY="A raw material, such as barrels of oil.",
    STOCK="A share.",
    OTHER="Anything else.",
)
described(
    InstrumentStatus,
    "InstrumentStatus",
    "Whether positions may be opened in an instrument.",
    ACTIVE="They may.",
    RETIRED="They may not. Its quotes are still taken in, and convert.",
)


@strawberry.type(description="What can be traded; the same for every brand.")
class Instrument(FromRow, listing=INSTRUMENTS):
    symbol: str = field(description="Its name as the firm writes it, unique among symbols and aliases; capitals count.")
    kind: InstrumentKind = field(description="What its underlying is.")
    base_currency: str | None = field(
        description="The currency that is bought and sold, whose rate the price is; null for an index or a share."
    )
    quote_currency: str = field(description="The currency the price is in.")
    price_precision: int = field(description="The decimal places of its prices.")
    quantity_step: Decimal = field(description="Quantities are multiples of it, in units of the underlying.")
    quantity_min: Decimal = field(description="The least quantity, in units of the underlying.")
    notional_min: Decimal = field(
        description="The least worth of an order, quantity x price in the quote currency; 0: no such limit. "
        "All of a position may be closed whatever it is worth."
    )
    contract_size: Decimal = field(
        description="Units of a lot: an action of so many `lots` is of `lots` x `contractSize` units."
    )
    aliases: list[str] = field(description="Other names under which feeds quote it.")
    status: InstrumentStatus = field(description="Whether positions may be opened in it.")
    version: int = field(description="Raised by every change.")
    created_at: datetime = field(description="When it was first saved.")
    updated_at: datetime = field(description="When it was last changed.")


@strawberry.input(description="An instrument to save; of an existing one what is left out stays.")
class SaveInstrumentInput:
    symbol: str = field(
        description="Its name: 1 to 32 letters, digits, inner spaces or . _ - / # + & ! @ $ ^ = : ( ) [ ] % ~."
    )
    kind: InstrumentKind | None = field(default=UNSET, description="What its underlying is; at first FOREX.")
    base_currency: str | None = field(
        default=UNSET,
        description="The currency that is bought and sold; needed for FOREX, and fixed once saved. Left out at first, "
        "or null: the underlying is no currency, and the price converts nothing.",
    )
    quote_currency: str | None = field(
        default=UNSET, description="The currency the price is in; needed at first, and fixed once saved."
    )
    price_precision: int | None = field(
        default=UNSET, description="The decimal places of its prices, 0 to 12; needed at first."
    )
    quantity_step: Decimal | None = field(
        default=UNSET, description="Quantities are multiples of it, in units of the underlying; needed at first."
    )
    quantity_min: Decimal | None = field(
        default=UNSET, description="The least quantity, a multiple of the step; needed at first."
    )
    notional_min: Decimal | None = field(
        default=UNSET,
        description="The least worth of an order, quantity x price in the quote currency; at first, and if null, 0: "
        "no such limit.",
    )
    contract_size: Decimal | None = field(default=UNSET, description="Units of a lot; at first, and if null, 1.")
    aliases: list[str] | None = field(
        default=UNSET, description="Other names under which feeds quote it, replacing all it had; null: none."
    )
    status: InstrumentStatus | None = field(
        default=UNSET, description="RETIRED is refused while positions are open or orders work in it; at first ACTIVE."
    )
    expected_version: int | None = field(
        default=None, description="The version this change was made from; 0 where there is to be none yet."
    )


@strawberry.type(description="The saved instrument.")
class SaveInstrumentPayload(SavePayload):
    instrument: Instrument | None = field(default=None, description="The instrument as it is now; null if not saved.")


@strawberry.input(description="Which instruments.")
class InstrumentFilter:
    kind: list[InstrumentKind] | None = field(default=None, description="Of one of these kinds.")
    status: InstrumentStatus | None = field(default=None, description="In this status.")
