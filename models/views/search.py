"""Text filters: what contains a text in upper or lower case, found by the trigrams of its letters and digits."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from models.views.list_query import Match, Part
from models.views.visibility import Sight

TRIGRAM = re.compile(r"[^\W_]{3}")
INT64_MAX = 2**63 - 1


def everybody(_: Sight) -> bool:
    """Is it shown to everybody who sees the row?"""
    return True


def sees_sales(sight: Sight) -> bool:
    """Are programs and purchases shown?"""
    return not sight.trades


def sees_notes(sight: Sight) -> bool:
    """Are the firm's notes on a purchase shown: reference, comment, tags?"""
    return sight.client is None and not sight.trades


def _named(text: str) -> Mapping[str, Any]:
    """Return the text as a pattern of LIKE, and as the number it writes, if it is one."""
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    is_id = number is not None and str(number) == text and number <= INT64_MAX
    return {"pattern": f"%{escaped}%", "number": number if is_id else None}


def number(table: str, alias: str) -> Part:
    """Return the part of a text search that finds the row whose id is the text."""
    return Part(f"{alias}.id = {{number}}::bigint", f"select r.id from {table} r where r.id = {{number}}::bigint")


def name(table: str, alias: str, column: str, seen: Callable[[Sight], bool] = everybody) -> Part:
    """Return the part of a text search that finds the rows whose column contains the text."""
    return Part(
        f"{alias}.{column} ilike {{pattern}}",
        f"""select r.id from {table} r
        where r.brand = coalesce({{brand}}, r.brand) and r.{column} ilike {{pattern}}""",
        seen,
    )


def program(table: str) -> Part:
    """Return the match of the name of the program `g`, to which a row belongs.

    The rows of each program are read from the index that the program leads, `rows` of them at most.
    """
    return Part(
        "g.name ilike {pattern}",
        f"""select s.id from programs g cross join lateral (
          select r.id from {table} r where r.program_id >= g.id and r.program_id <= g.id
          order by r.program_id, r.id limit {{rows}}) s
        where g.brand = coalesce({{brand}}, g.brand) and g.name ilike {{pattern}}""",
        sees_sales,
    )


def search(*parts: Part) -> Match:
    """Return a filter by text. One without three letters or digits in a row has no trigram."""
    return Match(parts, _named, lambda text: TRIGRAM.search(text) is not None)
