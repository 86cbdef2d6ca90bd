"""Time filters of lists in the order of ids, which rise with time within a brand."""

from models.views.list_query import TimeFilter

SLACK = "interval '1 hour'"
"""More than a row's time can lie before that of a row with a lower id, when a clock is set or a statement waits."""


def time_filters(name: str, table: str, column: str, key: str, brand: str = "brand") -> dict[str, TimeFilter]:
    """Return the filters `<name>_from` and `<name>_before`: the time, and the range of ids that can have it.

    An index on brand and time finds the brand's last row that is certainly before, or the first that is certainly
    after. `is true` keeps the planner from reading all rows of the time by that index and sorting them.
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
