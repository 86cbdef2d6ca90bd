"""Instruments."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import UNSET, field

from domain.instruments import GuardMode, InstrumentKind, InstrumentStatus
from schema.engine.computed_fields import computed
from schema.engine.enum_types import describe_enum
from schema.engine.row_types import FromRow
from schema.payloads import SavePayload
from services.views.lists import INSTRUMENTS

describe_enum(
    InstrumentKind,
    "InstrumentKind",
    "Kind of underlying of an instrument.",
    FOREX="A currency, priced in another currency.",
    METAL="A precious metal, in ounces.",
    CRYPTO="A crypto currency.",
    INDEX="A share index, in points.",
    COMMODITY="A commodity, such as oil in barrels.",
    STOCK="A share.",
    OTHER="Any other underlying.",
)
describe_enum(
    InstrumentStatus,
    "InstrumentStatus",
    "State of an instrument.",
    ACTIVE="Positions may be opened.",
    RETIRED="Positions may not be opened. Quotes are still accepted and used for conversion.",
)

describe_enum(
    GuardMode,
    "QuoteGuardMode",
    "Handling of quotes that an instrument's guard finds suspect.",
    OFF="Quotes are not checked.",
    WARN="The quote is accepted and counted, and an event reports it.",
    HOLD="The quote is held back and has no effect until another quote confirms it.",
)


@strawberry.type(
    description="Limits beyond which a quote is suspect: its move from the last accepted quote, its spread, or the "
    "time for which the price has not changed. A held quote is confirmed by the next quote that agrees with it, from "
    "any source; a price that has not changed is confirmed only by another source. The later of the two quotes is "
    "accepted."
)
class QuoteGuard:
    mode: GuardMode = field(description="Handling of suspect quotes.")
    move_pct: Decimal = field(
        description="Maximum move of the midpoint between two quotes, in % of the lower midpoint; 0: no limit."
    )
    move_seconds: int = field(
        description="Period within which a move is measured, in seconds of source time; after a longer gap any move "
        "is accepted. A suspect quote that is not confirmed within the period is dropped."
    )
    spread_pct: Decimal = field(description="Maximum spread in % of the midpoint; 0: no limit.")
    frozen_seconds: int = field(
        description="Maximum time for which bid and ask may stay unchanged while quotes arrive, in seconds; 0: no "
        "limit."
    )


@strawberry.type(description="A tradable instrument, shared by all brands.")
class Instrument(FromRow, listing=INSTRUMENTS):
    symbol: str = field(description="Symbol, unique among symbols and aliases; case-sensitive.")
    kind: InstrumentKind = field(description="Kind of underlying.")
    base_currency: str | None = field(
        description="Currency code of the underlying, if it is a currency that is priced in `quoteCurrency`; null for "
        "other underlyings such as an index or a share."
    )
    quote_currency: str = field(description="Currency code of the price.")
    price_precision: int = field(description="Number of decimal places of prices.")
    quantity_step: Decimal = field(
        description="Quantity step in units of the underlying; quantities are multiples of it."
    )
    quantity_min: Decimal = field(description="Minimum quantity of an order, in units of the underlying.")
    notional_min: Decimal = field(
        description="Minimum notional of an order (quantity x price) in the quote currency; 0: no limit. A position "
        "may always be closed completely."
    )
    contract_size: Decimal = field(description="Units of the underlying in one lot.")
    aliases: list[str] = field(description="Other symbols under which quotes are accepted.")
    status: InstrumentStatus = field(description="State of the instrument.")
    version: int = field(description="Version number; every change raises it.")
    created_at: datetime = field(description="Time of the first save.")
    updated_at: datetime = field(description="Time of the last change.")
    guard_mode: strawberry.Private[str]
    guard_move_pct: strawberry.Private[Decimal]
    guard_move_seconds: strawberry.Private[int]
    guard_spread_pct: strawberry.Private[Decimal]
    guard_frozen_seconds: strawberry.Private[int]

    @computed("Limits beyond which a quote of the instrument is suspect, and the handling of suspect quotes.")
    def guard(self) -> QuoteGuard:
        return QuoteGuard(
            mode=GuardMode(self.guard_mode),
            move_pct=self.guard_move_pct,
            move_seconds=self.guard_move_seconds,
            spread_pct=self.guard_spread_pct,
            frozen_seconds=self.guard_frozen_seconds,
        )


@strawberry.input(
    description="Guard of an instrument. A field that is left out keeps its value; in a new instrument, or if null, "
    "it gets the default of the instrument's kind. Defaults: mode WARN; move within 60 seconds 5 % (FOREX), 8 % "
    "(METAL), 10 % (INDEX), 15 % (COMMODITY), 20 % (CRYPTO), 25 % (STOCK, OTHER); spread 2 % (FOREX, METAL), 3 % "
    "(INDEX), 5 % (CRYPTO, COMMODITY), 10 % (STOCK, OTHER); unchanged price 900 seconds (FOREX, METAL, CRYPTO), 3,600 "
    "seconds (INDEX, COMMODITY), no limit (STOCK, OTHER)."
)
class QuoteGuardInput:
    mode: GuardMode | None = field(default=UNSET, description="Handling of suspect quotes.")
    move_pct: Decimal | None = field(
        default=UNSET, description="Maximum move in % of the lower midpoint, 0 to 1000; 0: no limit."
    )
    move_seconds: int | None = field(
        default=UNSET, description="Period within which a move is measured, 1 to 86400 seconds."
    )
    spread_pct: Decimal | None = field(
        default=UNSET, description="Maximum spread in % of the midpoint, 0 to 200; 0: no limit."
    )
    frozen_seconds: int | None = field(
        default=UNSET,
        description="Maximum time for which the price may stay unchanged, 0 to 86400 seconds; 0: no limit.",
    )


@strawberry.input(
    description="Instrument to create or change. For an existing instrument, a field that is left out keeps its value."
)
class SaveInstrumentInput:
    symbol: str = field(
        description="Symbol: 1 to 32 letters, digits, inner spaces or . _ - / # + & ! @ $ ^ = : ( ) [ ] % ~."
    )
    kind: InstrumentKind | None = field(
        default=UNSET, description="Kind of underlying; FOREX if left out for a new instrument."
    )
    base_currency: str | None = field(
        default=UNSET,
        description="Currency code of the underlying; required for FOREX, and fixed once saved. Null, or left out for "
        "a new instrument: the underlying is not a currency, and the price is not used for conversion.",
    )
    quote_currency: str | None = field(
        default=UNSET, description="Currency code of the price; required for a new instrument, and fixed once saved."
    )
    price_precision: int | None = field(
        default=UNSET, description="Number of decimal places of prices, 0 to 12; required for a new instrument."
    )
    quantity_step: Decimal | None = field(
        default=UNSET, description="Quantity step in units of the underlying; required for a new instrument."
    )
    quantity_min: Decimal | None = field(
        default=UNSET,
        description="Minimum quantity of an order, a multiple of the step; required for a new instrument.",
    )
    notional_min: Decimal | None = field(
        default=UNSET,
        description="Minimum notional of an order (quantity x price) in the quote currency; 0, the default and the "
        "meaning of null: no limit.",
    )
    contract_size: Decimal | None = field(
        default=UNSET, description="Units of the underlying in one lot; 1 if null, or if left out for a new instrument."
    )
    aliases: list[str] | None = field(
        default=UNSET,
        description="Other symbols under which quotes are accepted; the list replaces the stored one, null clears it.",
    )
    status: InstrumentStatus | None = field(
        default=UNSET,
        description="State; ACTIVE if left out for a new instrument. RETIRED is refused while the instrument has open "
        "positions or working orders.",
    )
    guard: QuoteGuardInput | None = field(
        default=UNSET,
        description="Guard of the instrument; the default of its kind if null, or if left out for a new instrument.",
    )
    expected_version: int | None = field(
        default=None,
        description="Version on which the change is based; 0 for a new instrument. If another version is stored, it "
        "is refused.",
    )


@strawberry.type(description="Result of saving an instrument.")
class SaveInstrumentPayload(SavePayload):
    instrument: Instrument | None = field(default=None, description="Instrument after the save; null if refused.")


@strawberry.input(description="Filter for instruments.")
class InstrumentFilter:
    kind: list[InstrumentKind] | None = field(default=None, description="Only instruments of one of these kinds.")
    status: InstrumentStatus | None = field(default=None, description="Only instruments in this state.")
