"""Brands."""

from datetime import datetime

import strawberry
from strawberry import UNSET, field

from schema.engine.row_types import FromRow
from schema.payloads import SavePayload
from services.views.lists import BRANDS


@strawberry.type(
    description="A firm on the desk. Programs, purchases, challenges, accounts, wallets and groups each belong to one "
    "brand."
)
class Brand(FromRow, listing=BRANDS):
    name: str = field(description="Unique name, used in inputs and filters.")
    title: str = field(description="Display name.")
    sample: bool = field(description="True if `propdesk up` created the brand as an example.")
    version: int = field(description="Version number; every change raises it.")
    created_at: datetime = field(description="Time of the first save.")
    updated_at: datetime = field(description="Time of the last change.")


@strawberry.input(
    description="Brand to create or change. For an existing brand, a field that is left out keeps its value."
)
class SaveBrandInput:
    name: str = field(description="Unique name: a lower-case letter, then up to 31 characters of a-z, 0-9, _ and -.")
    title: str | None = field(default=UNSET, description="Display name; required for a new brand.")
    expected_version: int | None = field(
        default=None,
        description="Version on which the change is based; 0 for a new brand. If another version is stored, it is "
        "refused.",
    )


@strawberry.type(description="Result of saving a brand.")
class SaveBrandPayload(SavePayload):
    brand: Brand | None = field(default=None, description="Brand after the save; null if refused.")
