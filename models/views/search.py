"""Text filters: case-insensitive search for a part of a text, by trigram indexes."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from models.views.list_query import MatchFilter, SearchPart
from models.views.visibility import Visibility

TRIGRAM = re.compile(r"[^\W_]{3}")
INT64_MAX = 2**63 - 1


def _is_public(_: Visibility) -> bool:
    """Return True: everybody who sees the row sees the text."""
    return True


def _sees_sales(visibility: Visibility) -> bool:
    """Return whether programs and purchases are visible."""
    return not visibility.trades


def sees_notes(visibility: Visibility) -> bool:
    """Return whether the firm's notes on a purchase (reference, comment, tags) are visible."""
    return visibility.client is None and not visibility.trades


def _parameters(text: str) -> Mapping[str, Any]:
    """Return the text as a LIKE pattern, and as a number if it is the decimal form of an id."""
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    is_id = number is not None and str(number) == text and number <= INT64_MAX
    return {"pattern": f"%{escaped}%", "number": number if is_id else None}


def id_part(table: str, alias: str) -> SearchPart:
    """Return the part of a text filter that finds the row whose id is the text."""
    return SearchPart(f"{alias}.id = {{number}}::bigint", f"select r.id from {table} r where r.id = {{number}}::bigint")


def column_part(table: str, alias: str, column: str, seen: Callable[[Visibility], bool] = _is_public) -> SearchPart:
    """Return the part of a text filter that finds the rows whose column contains the text."""
    return SearchPart(
        f"{alias}.{column} ilike {{pattern}}",
        f"""select r.id from {table} r
        where r.brand = coalesce({{brand}}, r.brand) and r.{column} ilike {{pattern}}""",
        seen,
    )


def program_part(table: str) -> SearchPart:
    """Return the part of a text filter that finds the rows of the programs `g` whose name contains the text.

    The rows of each program are read from the index that the program id leads, at most `rows`.
    """
    return SearchPart(
        "g.name ilike {pattern}",
        f"""select s.id from programs g cross join lateral (
          select r.id from {table} r where r.program_id >= g.id and r.program_id <= g.id
          order by r.program_id, r.id limit {{rows}}) s
        where g.brand = coalesce({{brand}}, g.brand) and g.name ilike {{pattern}}""",
        _sees_sales,
    )


def text_filter(*parts: SearchPart) -> MatchFilter:
    """Return a text filter. No index serves a text without three consecutive letters or digits: it has no trigram."""
    return MatchFilter(parts, _parameters, lambda text: TRIGRAM.search(text) is not None)
