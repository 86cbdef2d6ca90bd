"""Brands."""

from datetime import datetime

import strawberry
from strawberry import field

from schema.payloads import Payload
from schema.rows import FromRow
from services.views.lists import BRANDS


@strawberry.type(description="One firm; programs, purchases, challenges, accounts, wallets and groups belong to one.")
class Brand(FromRow, listing=BRANDS):
    name: str = field(description="Its name, unique.")
    title: str = field(description="Its name for people.")
    sample: bool = field(description="Whether `propdesk up` made it as an example.")
    created_at: datetime = field(description="When it was first saved.")


@strawberry.input(description="A brand to save.")
class SaveBrandInput:
    name: str = field(description="Its name: a small letter, then at most 31 of a-z 0-9 _ -.")
    title: str = field(description="Its name for people.")


@strawberry.type(description="The saved brand.")
class SaveBrandPayload(Payload):
    brand: Brand | None = field(default=None, description="The brand as it is now; null if it was not saved.")
