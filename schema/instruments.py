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
    "What an instrument's underlying is.",
    FOREX="A currency, priced in another.",
    METAL="A precious metal, in ounces.",
    CRYPTO="A coin.",
    INDEX="An index of shares, in its points.",
    COMMODITY="A raw material, such as barrels of oil.",
    STOCK="A share.",
    OTHER="Anything else.",
)
describe_enum(
    InstrumentStatus,
    "InstrumentStatus",
    "Whether positions may be opened in an instrument.",
    ACTIVE="They may.",
    RETIRED="They may not. Its quotes are still taken in, and convert.",
)

describe_enum(
    GuardMode,
    "QuoteGuardMode",
    "What happens to a quote that an instrument's guard finds suspect.",
    OFF="Nothing: no quote is looked at.",
    WARN="It is accepted, counted and told as an event.",
    HOLD="It is held back: nothing is marked, judged or filled by it until another quote confirms it.",
)


@strawberry.type(
    description="What makes a quote suspect: a move against the last accepted one, its spread, or a price that stands "
    "still. A held quote is confirmed by the next that says the same, of the same source or another; a price that "
    "stands still only by another source. Of the two the later is accepted."
)
class QuoteGuard:
    mode: GuardMode = field(description="What happens to a suspect quote.")
    move_pct: Decimal = field(
        description="The largest move of the mid between two quotes, in percent of the lower mid; 0: any."
    )
    move_seconds: int = field(
        description="The time within which a move is measured, in seconds by the source's clock; after a longer gap "
        "any move is accepted. A suspect quote that nothing confirms is dropped after it."
    )
    spread_pct: Decimal = field(description="The widest spread in percent of the mid; 0: any.")
    frozen_seconds: int = field(
        description="For how long bid and ask may stay the same while quotes come, in seconds; 0: for ever."
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
    guard_mode: strawberry.Private[str]
    guard_move_pct: strawberry.Private[Decimal]
    guard_move_seconds: strawberry.Private[int]
    guard_spread_pct: strawberry.Private[Decimal]
    guard_frozen_seconds: strawberry.Private[int]

    @computed("Which of its quotes are suspect, and what happens to them.")
    def guard(self) -> QuoteGuard:
        return QuoteGuard(
            mode=GuardMode(self.guard_mode),
            move_pct=self.guard_move_pct,
            move_seconds=self.guard_move_seconds,
            spread_pct=self.guard_spread_pct,
            frozen_seconds=self.guard_frozen_seconds,
        )


@strawberry.input(
    description="The guard of an instrument; what is left out stays, and is at first, or if null, that of the kind: "
    "WARN; within 60 seconds 5 % (FOREX), 8 % (METAL), 10 % (INDEX), 15 % (COMMODITY), 20 % (CRYPTO), 25 % (STOCK, "
    "OTHER); a spread of 2 % (FOREX, METAL), 3 % (INDEX), 5 % (CRYPTO, COMMODITY), 10 % (STOCK, OTHER); a standstill "
    "of 900 seconds (FOREX, METAL, CRYPTO), 3,600 (INDEX, COMMODITY), none (STOCK, OTHER)."
)
class QuoteGuardInput:
    mode: GuardMode | None = field(default=UNSET, description="What happens to a suspect quote.")
    move_pct: Decimal | None = field(
        default=UNSET, description="The largest move in percent of the lower mid, at most 1000; 0: any."
    )
    move_seconds: int | None = field(
        default=UNSET, description="The time within which a move is measured, 1 to 86400 seconds."
    )
    spread_pct: Decimal | None = field(
        default=UNSET, description="The widest spread in percent of the mid, at most 200; 0: any."
    )
    frozen_seconds: int | None = field(
        default=UNSET, description="For how long the price may stand still, at most 86400 seconds; 0: for ever."
    )


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
    guard: QuoteGuardInput | None = field(
        default=UNSET, description="Which of its quotes are suspect; at first, and if null, that of its kind."
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
