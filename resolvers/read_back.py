"""Reading back what a verb made or changed."""

from typing import Any

from schema.engine.request_context import Info
from schema.engine.row_types import object_of_row
from services.views import lists
from services.views.lists import Listing


async def read_back(info: Info, listing: Listing, value: int | str, key: str = "id") -> Any:
    """The object with this id, as it is now; `key` is the id's column."""
    info.context.loaders.renew()
    return object_of_row(listing, (await lists.by_ids(info.context.principal, listing, key, [value])).get(value))
