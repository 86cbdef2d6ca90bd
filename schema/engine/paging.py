"""Connections: pages of lists by keyset, so that rows added between two requests neither shift nor repeat items."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, cast

import orjson
import strawberry
from strawberry import field

from domain.validation import is_storable
from schema.engine.computed_fields import computed
from schema.engine.errors import BadUserInput
from schema.engine.fast_lists.compiled_operations import compilation_of, links_of
from schema.engine.ids import INT64_MAX
from schema.engine.relations import RowLink, preloaded
from schema.engine.request_context import Info
from schema.engine.row_types import RowObjects, object_of_row, readable_objects
from schema.engine.scalars import parse_instant
from services.futures import mark_retrieved
from services.views import lists
from services.views.lists import Filters, Listing, ListPage, PageRequest, Row, RowCount

SHORT, LONG = 100, 1000  # the most rows of a page: of lists, and of histories

First = Annotated[int, strawberry.argument(description="Maximum number of items: 1 to 100.")]
FirstLong = Annotated[int, strawberry.argument(name="first", description="Maximum number of items: 1 to 1000.")]
After = Annotated[str | None, strawberry.argument(description="Cursor after which the page begins.")]

Item = TypeVar("Item")


@strawberry.type(description="Position of a page in its list.")
class PageInfo:
    listing: strawberry.Private[Listing]
    page: strawberry.Private[ListPage]
    has_next_page: bool = field(
        description="Whether more items may follow this page. With a filter a page may have fewer items than `first`, "
        "or none, because one page reads a limited number of rows (10,000 by default): continue at `endCursor`."
    )
    has_previous_page: bool = field(description="Whether items precede this page: true if the request had `after`.")

    @computed("Cursor of the first item; null on an empty page.")
    def start_cursor(self) -> str | None:
        return _cursor(self.listing, self.page.rows[0]) if self.page.rows else None

    @computed("Cursor for `after` of the next page; null on an empty page at the end of the list.")
    def end_cursor(self) -> str | None:
        if self.page.end is not None:
            return _encoded(self.page.end)
        return _cursor(self.listing, self.page.rows[-1]) if self.page.rows else None


@strawberry.type(description="An item of a list with its cursor.")
class Edge(Generic[Item]):
    listing: strawberry.Private[Listing]
    row: strawberry.Private[Row]

    @computed("Opaque cursor of the item; valid as long as the item keeps its place in the list's order.")
    def cursor(self) -> str:
        return _cursor(self.listing, self.row)

    @computed("The item.", preloaded("row"))
    def node(self) -> Item:
        item: Item = object_of_row(self.listing, self.row)
        return item


@strawberry.type(description="A page of a list.")
class Connection(Generic[Item]):
    listing: strawberry.Private[Listing]
    page: strawberry.Private[ListPage]
    request: strawberry.Private[PageRequest]
    count: strawberry.Private[Callable[[], Awaitable[RowCount]]]
    extent: strawberry.Private[asyncio.Future[RowCount] | None] = None

    @computed("The items of this page with their cursors.")
    def edges(self) -> list[Edge[Item]]:
        return [Edge(listing=self.listing, row=row) for row, _ in readable_objects(self.listing, self.page.rows)]

    @computed("The items of this page.", RowLink(None, ("page",), lambda _, pages: [page.rows for page in pages]))
    def nodes(self) -> list[Item]:
        return cast("list[Item]", RowObjects(self.listing, self.page.rows))

    @computed("Position of this page in the list.")
    def page_info(self) -> PageInfo:
        return PageInfo(
            listing=self.listing,
            page=self.page,
            has_next_page=self.page.more,
            has_previous_page=self.request.after is not None,
        )

    @computed(
        "Number of items in the whole list, counted only if selected. Counting stops after a limited number of rows "
        "(by default 100,000, or 10,000 with a filter or below another object): see `totalCountIsExact`."
    )
    async def total_count(self) -> int:
        return (await self._extent()).number

    @computed("Whether `totalCount` is exact; if false, the list has at least that many items.")
    async def total_count_is_exact(self) -> bool:
        return (await self._extent()).exact

    def _extent(self) -> Awaitable[RowCount]:
        """Count the list once for both fields."""
        if self.extent is None:
            self.extent = asyncio.ensure_future(self.count())
            self.extent.add_done_callback(mark_retrieved)
        return asyncio.shield(self.extent)


def page_request(
    listing: Listing, first: int, after: str | None, *, most: int = SHORT, reverse: bool = False
) -> PageRequest:
    """Return the request for a page. Raises BadUserInput."""
    if not 1 <= first <= most:
        raise BadUserInput(f"first must be between 1 and {most}; found {first}.")
    return PageRequest(first, None if after is None else _keys(listing, after), reverse)


def _cursor(listing: Listing, row: Row) -> str:
    return _encoded([row[key.name] for key in listing.order])


def _encoded(keys: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(keys))).decode()


def _keys(listing: Listing, cursor: str) -> tuple[Any, ...]:
    try:
        values = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        keys = tuple(
            parse_instant(value) if key.kind is datetime else value
            for key, value in zip(listing.order, values, strict=True)
        )
        if not all(_fits(value, key.kind) for key, value in zip(listing.order, keys, strict=True)):
            raise ValueError
    except (ValueError, TypeError, RecursionError, BadUserInput):
        raise BadUserInput("after must be a cursor of this list, such as its endCursor.") from None
    return keys


def _fits(value: Any, kind: type) -> bool:
    if type(value) is not kind:
        return False
    if isinstance(value, int):
        return abs(value) <= INT64_MAX
    return not isinstance(value, str) or is_storable(value)


async def read_page(info: Info, listing: Listing, request: PageRequest, filters: Filters = ()) -> Connection[Any]:
    """Return a page of the rows that the principal may see."""
    principal = info.context.principal
    page = await lists.list_page(principal, listing, filters, request, links_of(info))
    if compilation_of(info.operation).revalues_rows:
        info.context.loaders.revalues = True
        page = await info.context.loaders.revalued_page(listing, page)
    return Connection(
        listing=listing, page=page, request=request, count=lambda: lists.count_visible(principal, listing, filters)
    )


async def read_owned_page(
    info: Info, listing: Listing, parent: tuple[str, int], request: PageRequest, filters: Filters = ()
) -> Connection[Any]:
    """Return a page of the rows that a parent (kind and id) owns; pages of many parents are read together."""
    loaders = info.context.loaders
    page = await loaders.page(listing, *parent, request, filters)
    return Connection(
        listing=listing, page=page, request=request, count=lambda: loaders.count(listing, *parent, filters)
    )


async def read_owned(info: Info, listing: Listing, parent: tuple[str, int], most: int) -> list[Any]:
    """Return the first `most` objects that a parent owns, without paging."""
    page = await info.context.loaders.page(listing, *parent, PageRequest(most))
    return [item for _, item in readable_objects(listing, page.rows)]


async def read_one(info: Info, listing: Listing, key: int | None) -> Item | None:
    """Return the object of this id; None for no id and for an object that the principal may not see.

    The object of a root field is revalued at the answer's moment.
    """
    if info.path.prev is None:
        info.context.loaders.revalues = True
    item: Item | None = object_of_row(listing, await info.context.loaders.row(listing, key))
    return item
