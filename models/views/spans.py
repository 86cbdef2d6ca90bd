"""Filters by time of lists in the order of their ids: a brand's rows are written in the order of their times."""

from models.views.list_query import TimeFilter

SLACK = "interval '1 hour'"
"""By which the times of two rows may fall while their ids rise, and far more: a clock is set, a statement waits."""


def time_filters(name: str, table: str, column: str, key: str, brand: str = "brand") -> dict[str, TimeFilter]:
    """Return the filters `<name>_from` and `<name>_before`: the time itself, and where in the list it can be.

    An index on brand and time finds the brand's last row that is certainly before, or its first certainly after. `is
    true` keeps the server from reading by that index all rows of the time, to put them in order.
    """
    time = column.partition(".")[2]
    place, slack = f"(s.{brand}, s.{time})", f"{{0}}::timestamptz {{sign}} {SLACK}"
    before = f"s.{brand} >= {{brand}} and {place} < ({{brand}}, {slack.replace('{sign}', '-')})"
    after = f"s.{brand} <= {{brand}} and {place} >= ({{brand}}, {slack.replace('{sign}', '+')})"
    last = f"select s.id from {table} s where {before} order by s.{brand} desc, s.{time} desc limit 1"
    first = f"select s.id from {table} s where {after} order by s.{brand}, s.{time} limit 1"
    return {
        f"{name}_from": TimeFilter(f"({column} >= {{0}}) is true", key, ">", f"coalesce(({last}), 0)"),
        f"{name}_before": TimeFilter(f"({column} < {{0}}) is true", key, "<", f"coalesce(({first}), {2**63 - 1})"),
    }
