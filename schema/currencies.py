"""Currencies: type, input and payload."""

from datetime import datetime

import strawberry
from strawberry import UNSET, field

from schema.engine.row_types import FromRow
from schema.payloads import SavePayload
from services.views.lists import CURRENCIES


@strawberry.type(description="A currency of amounts, accounts and prices, shared by all brands.")
class Currency(FromRow, listing=CURRENCIES):
    code: str = field(description="Unique currency code.")
    minor_units: int = field(description="Number of decimal places of booked amounts.")
    par: str = field(description="Par group. Currencies of one group convert into each other at 1.")
    version: int = field(description="Version number; every change raises it.")
    updated_at: datetime = field(description="Time of the last change.")


@strawberry.input(
    description="Currency to create or change. For an existing currency, a field that is left out keeps its value."
)
class SaveCurrencyInput:
    code: str = field(description="Currency code: 2 to 10 capital letters or digits.")
    minor_units: int | None = field(
        default=UNSET,
        description="Number of decimal places of booked amounts, 0 to 8; required for a new currency. Once the "
        "currency is in use the number may only rise.",
    )
    par: str | None = field(
        default=UNSET,
        description="Par group, such as USD for a stable coin of the dollar. For a new currency, or if null, it is "
        "the currency's own code. It cannot change while an open position or a working order depends on a conversion.",
    )
    expected_version: int | None = field(
        default=None,
        description="Version on which the change is based; 0 for a new currency. If another version is stored, it is "
        "refused.",
    )


@strawberry.type(description="Result of saving a currency.")
class SaveCurrencyPayload(SavePayload):
    currency: Currency | None = field(default=None, description="Currency after the save; null if refused.")
