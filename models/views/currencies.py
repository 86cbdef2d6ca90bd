"""Currencies as the API shows them."""

from models.views.list_query import Listing, OrderKey
from models.views.visibility import of_desk

CURRENCIES = Listing(
    columns="t.code, t.minor_units, t.par, t.version, t.updated_at",
    source="currencies t",
    visibility=of_desk,
    order=(OrderKey("t.code", "code", str),),
    descending=False,
    id="t.code = any({}::text[])",
)
