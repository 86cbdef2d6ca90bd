"""Read an object back after a mutation."""

from typing import Any

from schema.engine.request_context import Info
from schema.engine.row_types import object_of_row
from services.views import lists
from services.views.lists import Listing


async def read_back(info: Info, listing: Listing, value: int | str, key: str = "id") -> Any:
    """Return the current object with this id; `key` is the column of the id."""
    info.context.loaders.renew()
    return object_of_row(listing, (await lists.rows_by_ids(info.context.principal, listing, key, [value])).get(value))
