"""Ticks: the current figures of challenges, and row versions that show whether an account or challenge has changed."""

from collections.abc import Collection

from models.sql import Connection
from models.views.list_query import Listing
from models.views.visibility import of_challenge

TICKS = Listing(
    columns="""c.id, c.status, c.current_phase_index as phase_index, c.ended_at, c.account_id,
  b.marked_at as market_time, b.marked_through as batch, b.cash as balance, b.equity, b.day_start_balance,
  b.day_start_equity, b.day_low, b.day_high, b.peak_equity""",
    source="challenges c join balances b on b.account_id = c.account_id",
    visibility=of_challenge,
    id="c.id = any({}::bigint[])",
)
# Every update of a row changes its xmin.
VERSIONS = {
    "account": """
select a.id, concat_ws(' ', a.xmin, b.xmin, c.xmin) as version
from accounts a join balances b on b.account_id = a.id left join challenges c on c.id = a.challenge_id
where a.id = any($1::bigint[])""",
    "challenge": """
select c.id, concat_ws(' ', c.xmin, b.xmin) as version
from challenges c join balances b on b.account_id = c.account_id where c.id = any($1::bigint[])""",
}


async def row_versions(conn: Connection, kind: str, ids: Collection[int]) -> dict[int, str]:
    """Return by id a text that differs after every change of the account or challenge."""
    return {row["id"]: row["version"] for row in await conn.fetch(VERSIONS[kind], list(ids))}
