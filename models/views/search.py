"""Text filters: what contains a text in upper or lower case, found by the trigrams of its letters and digits."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from models.views.list_query import MatchFilter, SearchPart
from models.views.visibility import Visibility

TRIGRAM = re.compile(r"[^\W_]{3}")
INT64_MAX = 2**63 - 1


def is_public(_: Visibility) -> bool:
    """Is it shown to everybody who sees the row?"""
    return True


def sees_sales(visibility: Visibility) -> bool:
    """Are programs and purchases shown?"""
    return not visibility.trades


def sees_notes(visibility: Visibility) -> bool:
    """Are the firm's notes on a purchase shown: reference, comment, tags?"""
    return visibility.client is None and not visibility.trades


def _named(text: str) -> Mapping[str, Any]:
    """Return the text as a pattern of LIKE, and as the number it writes, if it is one."""
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    is_id = number is not None and str(number) == text and number <= INT64_MAX
    return {"pattern": f"%{escaped}%", "number": number if is_id else None}


def id_part(table: str, alias: str) -> SearchPart:
    """Return the part of a text search that finds the row whose id is the text."""
    return SearchPart(f"{alias}.id = {{number}}::bigint", f"select r.id from {table} r where r.id = {{number}}::bigint")


def column_part(table: str, alias: str, column: str, seen: Callable[[Visibility], bool] = is_public) -> SearchPart:
    """Return the part of a text search that finds the rows whose column contains the text."""
    return SearchPart(
        f"{alias}.{column} ilike {{pattern}}",
        f"""select r.id from {table} r
        where r.brand = coalesce({{brand}}, r.brand) and r.{column} ilike {{pattern}}""",
        seen,
    )


def program_part(table: str) -> SearchPart:
    """Return the match of the name of the program `g`, to which a row belongs.

    The rows of each program are read from the index that the program leads, `rows` of them at most.
    """
    return SearchPart(
        "g.name ilike {pattern}",
        f"""select s.id from programs g cross join lateral (
          select r.id from {table} r where r.program_id >= g.id and r.program_id <= g.id
          order by r.program_id, r.id limit {{rows}}) s
        where g.brand = coalesce({{brand}}, g.brand) and g.name ilike {{pattern}}""",
        sees_sales,
    )


def text_filter(*parts: SearchPart) -> MatchFilter:
    """Return a filter by text. One without three letters or digits in a row has no trigram."""
    return MatchFilter(parts, _named, lambda text: TRIGRAM.search(text) is not None)
