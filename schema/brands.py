"""Brands."""

from datetime import datetime

import strawberry
from strawberry import UNSET, field

from schema.engine.row_types import FromRow
from schema.payloads import SavePayload
from services.views.lists import BRANDS


@strawberry.type(description="One firm; programs, purchases, challenges, accounts, wallets and groups belong to one.")
class Brand(FromRow, listing=BRANDS):
    name: str = field(description="Its name, unique.")
    title: str = field(description="Its name for people.")
    sample: bool = field(description="Whether `propdesk up` made it as an example.")
    version: int = field(description="Raised by every change.")
    created_at: datetime = field(description="When it was first saved.")
    updated_at: datetime = field(description="When it was last changed.")


@strawberry.input(description="A brand to save; of an existing one what is left out stays.")
class SaveBrandInput:
    name: str = field(description="Its name: a small letter, then at most 31 of a-z 0-9 _ -.")
    title: str | None = field(default=UNSET, description="Its name for people; needed at first.")
    expected_version: int | None = field(
        default=None, description="The version this change was made from; 0 where there is to be none yet."
    )


@strawberry.type(description="The saved brand.")
class SaveBrandPayload(SavePayload):
    brand: Brand | None = field(default=None, description="The brand as it is now; null if it was not saved.")
