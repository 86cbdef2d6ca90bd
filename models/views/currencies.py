"""Currencies as the API shows them."""

from models.views.list_query import Key, Listing
from models.views.visibility import of_desk

CURRENCIES = Listing(
    columns="t.code, t.minor_units, t.par, t.version, t.updated_at",
    source="currencies t",
    sight=of_desk,
    order=(Key("t.code", "code", str),),
    descending=False,
    id="t.code = any({}::text[])",
)
