"""Brands as the API shows them."""

from models.views.list_query import Key, Listing
from models.views.visibility import Sight, Where


def _own(where: Where, sight: Sight) -> None:
    if sight.brand is not None:
        where.add("t.name = {}", sight.brand)


BRANDS = Listing(
    columns="t.name, t.title, t.sample, t.version, t.created_at, t.updated_at",
    source="brands t",
    sight=_own,
    order=(Key("t.name", "name", str),),
    descending=False,
    id="t.name = any({}::text[])",
)
