"""Types whose plain fields are columns: one is made from a row by the names of its fields.

A type names the listing its rows come from, so that fields which lead to another noun need not import its type.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from strawberry import ID
from strawberry.types.field import StrawberryField

from services.telemetry import UNREADABLE_ROWS
from services.views.lists import Listing, Row

log = logging.getLogger(__name__)

_TYPES: dict[Listing, type["FromRow"]] = {}


class FromRow:
    """A type made from the rows of a listing."""

    def __init_subclass__(cls, listing: Listing | None = None) -> None:
        if listing is not None:
            _TYPES[listing] = cls

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The object of this row; ids become text, integers the members of their enum."""
        return cls(**{name: row[name] if adapt is None else adapt(row[name]) for name, adapt in _plan_of(cls)})


def object_of_row(listing: Listing, row: Mapping[str, Any] | None) -> Any:
    """The object of a row of the listing, if there is one."""
    return None if row is None else _TYPES[listing].of(row)


def readable_objects(listing: Listing, rows: Iterable[Row]) -> Iterator[tuple[Row, Any]]:
    """The rows with their objects, without those that this version cannot read: they are logged and counted."""
    kind = _TYPES[listing]
    for row in rows:
        try:
            item = kind.of(row)
        except (LookupError, TypeError, ValueError):
            UNREADABLE_ROWS.labels(kind.__name__).inc()
            log.exception(
                "a row of %s is left out of a list, because it cannot be read: %s", kind.__name__, row.get("id")
            )
        else:
            yield row, item


class RowObjects:
    """The objects of a listing's rows, made when they are looked at."""

    __slots__ = ("_listing", "rows")

    def __init__(self, listing: Listing, rows: Sequence[Row]) -> None:
        self._listing = listing
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return (item for _, item in readable_objects(self._listing, self.rows))


def adapters(cls: type[FromRow]) -> dict[str, Callable[[Any], Any] | None]:
    """By name the columns that the type is made from, each with what makes its value the field's."""
    return dict(_plan_of(cls))


def _plan_of(cls: Any) -> list[tuple[str, Callable[[Any], Any] | None]]:
    return _plan(cls)


@cache
def _plan(cls: type) -> list[tuple[str, Callable[[Any], Any] | None]]:
    hints = get_type_hints(cls)
    plain = [f for f in fields(cls) if not (isinstance(f, StrawberryField) and f.base_resolver)]
    return [(f.name, _adapter(hints[f.name])) for f in plain]


def _adapter(hint: Any) -> Callable[[Any], Any] | None:
    if get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint):
        adapt = _adapter(next(arg for arg in get_args(hint) if arg is not NoneType))
        return adapt and (lambda value: None if value is None else adapt(value))
    if hint is ID:
        return str
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {member.value: member for member in hint}.__getitem__
    return None
