"""Pages, counts and single rows of every list."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from config.settings import settings
from domain.lifecycles import ChallengeStatus
from models.sql import Connection
from models.views import list_pages as rows
from models.views.accounts import ACCOUNTS, ACTIONS, FILLS, LEDGER, ORDERS, ORDERS_NAMED, POSITIONS
from models.views.audits import AUDIT
from models.views.brands import BRANDS
from models.views.breaches import BREACHES
from models.views.bulk_reinstatements import BULK_REINSTATEMENTS, BULK_RESULTS
from models.views.challenges import CHALLENGES, DAYS, PHASES
from models.views.currencies import CURRENCIES
from models.views.events import EVENTS
from models.views.groups import GROUPS
from models.views.instruments import INSTRUMENTS, QUOTE_HISTORY, QUOTES
from models.views.jobs import JOBS
from models.views.list_pages import LinkedListing, RowCount, may_search
from models.views.list_query import Filters, Listing, PageRequest, Row
from models.views.metrics import LATEST, METRICS
from models.views.programs import PROGRAMS, STEPS
from models.views.purchases import PURCHASES
from models.views.reinstatements import REINSTATEMENTS
from models.views.tokens import TOKENS
from models.views.visibility import Visibility
from models.views.voids import QUOTE_VOIDS
from models.views.wallets import HOUSE_ACCOUNTS, PAYOUTS, TRANSFERS, WALLETS
from services.principals import Principal
from services.standby import moment_old
from services.telemetry import LISTS_CUT
from services.unit_of_work.reads import read_connection
from services.views.shown import readable_rows
from services.views.visibility import visibility_of

Value = TypeVar("Value")

__all__ = [
    "ACCOUNTS",
    "ACTIONS",
    "AUDIT",
    "BRANDS",
    "BREACHES",
    "BULK_REINSTATEMENTS",
    "BULK_RESULTS",
    "CHALLENGES",
    "CURRENCIES",
    "DAYS",
    "EVENTS",
    "FILLS",
    "GROUPS",
    "HOUSE_ACCOUNTS",
    "INSTRUMENTS",
    "JOBS",
    "LATEST",
    "LEDGER",
    "METRICS",
    "ORDERS",
    "ORDERS_NAMED",
    "PAYOUTS",
    "PHASES",
    "POSITIONS",
    "PROGRAMS",
    "PURCHASES",
    "QUOTES",
    "QUOTE_HISTORY",
    "QUOTE_VOIDS",
    "REINSTATEMENTS",
    "STEPS",
    "TOKENS",
    "TRANSFERS",
    "WALLETS",
    "Filters",
    "LinkedListing",
    "ListPage",
    "Listing",
    "PageRequest",
    "Row",
    "RowCount",
    "count_by_status",
    "count_visible",
    "first_rows",
    "list_page",
    "nested_counts",
    "nested_pages",
    "rows_by_ids",
]


@dataclass(frozen=True, slots=True)
class ListPage:
    """The rows of one page in order, and whether the list goes on after it.

    `end` has the keys up to which rows were read, if the limit of rows was reached before the page was full.
    """

    rows: list[Row]
    more: bool = False
    linked: Mapping[Listing, Mapping[int, Row]] = field(default_factory=dict)
    """By listing, the rows by id that were read with the page because its links lead to them."""
    end: tuple[Any, ...] | None = None


def _cut(rows: list[Row], window: PageRequest, end: tuple[Any, ...] | None = None) -> ListPage:
    if end is not None:
        LISTS_CUT.labels("page").inc()
    return ListPage(rows[: window.first], len(rows) > window.first or end is not None, end=end)


def _counted(extent: RowCount) -> RowCount:
    if not extent.exact:
        LISTS_CUT.labels("count").inc()
    return extent


async def _read(listing: Listing, filters: Filters, read: Callable[[Connection], Awaitable[Value]]) -> Value:
    """Read from a standby if possible; in one snapshot if several statements are to see the same."""
    return await moment_old(read, whole=may_search(listing, filters))


async def list_page(
    principal: Principal, listing: Listing, filters: Filters, window: PageRequest, linked: Sequence[LinkedListing] = ()
) -> ListPage:
    """Return one page of the rows visible to the principal, with the visible rows that its links lead to."""
    visibility, most = visibility_of(principal), settings().list_rows_max
    read = await _read(
        listing, filters, lambda conn: rows.fetch_page(conn, listing, visibility, filters, window, most, linked)
    )
    led: defaultdict[Listing, dict[int, Row]] = defaultdict(dict)
    for one, some in zip(linked, read.linked, strict=True):
        led[one.listing].update((row["id"], row) for row in readable_rows(principal, one.listing, some))
    return replace(_cut(readable_rows(principal, listing, read.rows), window, read.end), linked=led)


async def count_visible(principal: Principal, listing: Listing, filters: Filters) -> RowCount:
    """Return how many rows are visible to the principal."""
    visibility, most = visibility_of(principal), settings().list_rows_max
    return _counted(
        await _read(listing, filters, lambda conn: rows.count_rows(conn, listing, visibility, filters, most))
    )


async def count_by_status(principal: Principal, filters: Filters) -> tuple[dict[int, int], bool]:
    """Return how many challenges visible to the principal are in each status, and whether these are all."""
    most = settings().list_rows_max
    if not {name for name, _ in filters} - {"brand"}:  # each status has its own part of an index
        filters = (*filters, ("status", (tuple(status.value for status in ChallengeStatus),)))
    visibility, narrowed = visibility_of(principal), filters
    found, exact = await _read(
        CHALLENGES, narrowed, lambda conn: rows.count_by_value(conn, CHALLENGES, visibility, narrowed, "c.status", most)
    )
    return found, _counted(RowCount(0, exact)).exact


async def rows_by_ids(
    principal: Principal, listing: Listing, key: str, ids: Collection[int | str]
) -> dict[int | str, Row]:
    """Return the rows of these ids, by their column `key`, that are visible to the principal."""
    async with read_connection() as conn:
        found = await rows.fetch_by_ids(conn, listing, visibility_of(principal), ids)
    return {row[key]: row for row in readable_rows(principal, listing, found)}


async def nested_pages(
    listing: Listing,
    parent: str,
    ids: Collection[int],
    filters: Filters,
    window: PageRequest,
    principal: Principal | None = None,
) -> dict[int, ListPage]:
    """Return the same page of every parent's nested list.

    The parents were visible, so what they own is, too; where that does not follow, pass the principal.
    """
    most = settings().list_rows_max
    visibility = _sight(principal)
    found, ends = await _read(
        listing,
        filters,
        lambda conn: rows.fetch_nested_pages(conn, listing, parent, ids, filters, window, most, visibility),
    )
    of: defaultdict[int, list[Row]] = defaultdict(list)
    for row in readable_rows(principal, listing, found):
        of[row["parent"]].append(row)
    return {one: _cut(of[one], window, ends.get(one)) for one in ids}


async def first_rows(
    principal: Principal, listing: Listing, parent: str, ids: Collection[int], most: int
) -> dict[int, list[Row]]:
    """Return the first rows of every parent's nested list, at most so many; it is not known whether others follow."""
    window = PageRequest(most - 1)  # a page reads one row more: here that row is the last one
    async with read_connection() as conn:
        found, _ = await rows.fetch_nested_pages(
            conn, listing, parent, ids, (), window, settings().list_rows_max, visibility_of(principal)
        )
    of: dict[int, list[Row]] = {one: [] for one in ids}
    for row in readable_rows(principal, listing, found):
        of[row["parent"]].append(row)
    return of


async def nested_counts(
    listing: Listing, parent: str, ids: Collection[int], filters: Filters, principal: Principal | None = None
) -> dict[int, RowCount]:
    """Return how many rows each parent owns; the principal as in `nested_pages`."""
    most = settings().list_rows_max
    visibility = _sight(principal)
    found = await _read(
        listing, filters, lambda conn: rows.count_nested_rows(conn, listing, parent, ids, filters, most, visibility)
    )
    return {one: _counted(extent) for one, extent in found.items()}


def _sight(principal: Principal | None) -> Visibility | None:
    return None if principal is None else visibility_of(principal)
