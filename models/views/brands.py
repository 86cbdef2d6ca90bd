"""Brands as the API shows them."""

from models.views.list_query import Listing, OrderKey
from models.views.visibility import Visibility, Where


def _own(where: Where, visibility: Visibility) -> None:
    if visibility.brand is not None:
        where.add("t.name = {}", visibility.brand)


BRANDS = Listing(
    columns="t.name, t.title, t.sample, t.version, t.created_at, t.updated_at",
    source="brands t",
    visibility=_own,
    order=(OrderKey("t.name", "name", str),),
    descending=False,
    id="t.name = any({}::text[])",
)
