"""Pages, counts and single rows of every list, for whoever asks."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from models.views import listing as rows
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
from models.views.listing import Filters, Linked, Listing, Row, Window
from models.views.metrics import LATEST, METRICS
from models.views.programs import PROGRAMS, STEPS
from models.views.purchases import PURCHASES
from models.views.reinstatements import REINSTATEMENTS
from models.views.sight import Sight
from models.views.tokens import TOKENS
from models.views.voids import QUOTE_VOIDS
from models.views.wallets import HOUSE_ACCOUNTS, PAYOUTS, TRANSFERS, WALLETS
from services.principals import Principal
from services.unit import reading
from services.views.shown import shown
from services.views.sight import sight_of

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
    "Linked",
    "Listing",
    "Page",
    "Row",
    "Window",
    "by_ids",
    "by_status",
    "count",
    "counts",
    "firsts",
    "page",
    "pages",
]


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page in their order, and whether another follows."""

    rows: list[Row]
    more: bool = False
    linked: Mapping[Listing, Mapping[int, Row]] = field(default_factory=dict)
    """By listing the rows, by id, that the page leads to and that were read with it."""


def _cut(rows: list[Row], window: Window) -> Page:
    return Page(rows[: window.first], len(rows) > window.first)


async def page(
    principal: Principal, listing: Listing, filters: Filters, window: Window, linked: Sequence[Linked] = ()
) -> Page:
    """Return one page of the rows visible to the principal, with the visible rows that its links lead to."""
    sight = sight_of(principal)
    async with reading() as conn:
        if not linked:
            read = await rows.page(conn, listing, sight, filters, window)
            return _cut(shown(principal, listing, read), window)
        read, found = await rows.page_with(conn, listing, sight, filters, window, linked)
    page = _cut(shown(principal, listing, read), window)
    led: defaultdict[Listing, dict[int, Row]] = defaultdict(dict)
    for one, some in zip(linked, found, strict=True):
        led[one.listing].update((row["id"], row) for row in shown(principal, one.listing, some))
    return replace(page, linked=led)


async def count(principal: Principal, listing: Listing, filters: Filters) -> int:
    """How many rows are in the principal's sight."""
    async with reading() as conn:
        return await rows.count(conn, listing, sight_of(principal), filters)


async def by_status(principal: Principal, filters: Filters) -> dict[int, int]:
    """How many challenges in the principal's sight are in each status."""
    async with reading() as conn:
        return await rows.tally(conn, CHALLENGES, sight_of(principal), filters, "c.status")


async def by_ids(principal: Principal, listing: Listing, key: str, ids: Collection[int | str]) -> dict[int | str, Row]:
    """The rows of these ids in the principal's sight, by their column `key`; what is not in sight is not there."""
    async with reading() as conn:
        found = await rows.by_ids(conn, listing, sight_of(principal), ids)
    return {row[key]: row for row in shown(principal, listing, found)}


async def pages(
    listing: Listing,
    parent: str,
    ids: Collection[int],
    filters: Filters,
    window: Window,
    principal: Principal | None = None,
) -> dict[int, Page]:
    """The same page of every parent's nested list. The parents were read in sight, so what they own is too.

    Where that does not follow, the principal has to be told.
    """
    async with reading() as conn:
        found = await rows.pages(conn, listing, parent, ids, filters, window, _sight(principal))
    of: defaultdict[int, list[Row]] = defaultdict(list)
    for row in shown(principal, listing, found):
        of[row["parent"]].append(row)
    return {one: _cut(of[one], window) for one in ids}


async def firsts(
    principal: Principal, listing: Listing, parent: str, ids: Collection[int], most: int
) -> dict[int, list[Row]]:
    """The first rows of every parent's nested list, as many at most; whether others follow is not asked."""
    window = Window(most - 1)  # a page is read with a row more: here that is the last of those asked for
    async with reading() as conn:
        found = await rows.pages(conn, listing, parent, ids, (), window, sight_of(principal))
    of: dict[int, list[Row]] = {one: [] for one in ids}
    for row in shown(principal, listing, found):
        of[row["parent"]].append(row)
    return of


async def counts(
    listing: Listing, parent: str, ids: Collection[int], filters: Filters, principal: Principal | None = None
) -> dict[int, int]:
    """How many rows each parent owns; the principal as in `pages`."""
    async with reading() as conn:
        return await rows.counts(conn, listing, parent, ids, filters, _sight(principal))


def _sight(principal: Principal | None) -> Sight | None:
    return None if principal is None else sight_of(principal)
