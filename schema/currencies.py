"""Currencies."""

from datetime import datetime

import strawberry
from strawberry import UNSET, field

from schema.engine.row_types import FromRow
from schema.payloads import SavePayload
from services.views.lists import CURRENCIES


@strawberry.type(description="A currency of amounts, accounts and prices; the same for every brand.")
class Currency(FromRow, listing=CURRENCIES):
    code: str = field(description="Its code, unique.")
    minor_units: int = field(description="The decimal places of amounts that are booked in it.")
    par: str = field(description="Its par group: currencies of one group are worth the same.")
    version: int = field(description="Raised by every change.")
    updated_at: datetime = field(description="When it was last changed.")


@strawberry.input(description="A currency to save; of an existing one what is left out stays.")
class SaveCurrencyInput:
    code: str = field(description="Its code: 2 to 10 capital letters or digits.")
    minor_units: int | None = field(
        default=UNSET,
        description="The decimal places of amounts, 0 to 8; needed at first. Of a currency in use it may only rise.",
    )
    par: str | None = field(
        default=UNSET,
        description="Its par group, such as USD for a stable coin of the dollar; at first, and if null, its own code. "
        "It may change while no open position and no working order is valued by conversion.",
    )
    expected_version: int | None = field(
        default=None, description="The version this change was made from; 0 where there is to be none yet."
    )


@strawberry.type(description="The saved currency.")
class SaveCurrencyPayload(SavePayload):
    currency: Currency | None = field(default=None, description="The currency as it is now; null if not saved.")
