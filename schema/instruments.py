"""Instruments."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import field

from schema.payloads import Payload
from schema.rows import FromRow
from services.views.lists import INSTRUMENTS


@strawberry.type(description="What can be traded; the same for every brand.")
class Instrument(FromRow, listing=INSTRUMENTS):
    symbol: str = field(description="Its name, unique.")
    base_currency: str = field(description="The currency that is bought and sold.")
    quote_currency: str = field(description="The currency the price is in.")
    price_precision: int = field(description="The decimal places of its prices, for display.")
    quantity_step: Decimal = field(description="Quantities are multiples of it.")
    quantity_min: Decimal = field(description="The least quantity.")
    created_at: datetime = field(description="When it was first saved.")


@strawberry.input(description="An instrument to save.")
class SaveInstrumentInput:
    symbol: str = field(description="Its name: a capital letter or digit, then at most 31 of A-Z 0-9 . _ -.")
    base_currency: str = field(description="The currency that is bought and sold.")
    quote_currency: str = field(description="The currency the price is in.")
    price_precision: int = field(description="The decimal places of its prices: 0 to 8.")
    quantity_step: Decimal = field(description="Quantities are multiples of it.")
    quantity_min: Decimal = field(description="The least quantity, a multiple of the step.")


@strawberry.type(description="The saved instrument.")
class SaveInstrumentPayload(Payload):
    instrument: Instrument | None = field(default=None, description="The instrument as it is now; null if not saved.")
