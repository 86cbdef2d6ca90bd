"""Visibility: the rows that a principal may read, for every list and object."""

from collections.abc import Callable
from typing import Any, TypeVar

from models.views.visibility import NOTHING_VISIBLE, Visibility
from services.principals import Principal, Role

Item = TypeVar("Item", int, str)


def visibility_of(principal: Principal) -> Visibility:
    """Return the rows that the principal may read.

    An ADMIN reads every row, a MANAGER those of its brand, a CLIENT its own, a TRADER accounts and trades within its
    scope, and any other role none.
    """
    match principal.role:
        case Role.ADMIN:
            return Visibility()
        case Role.MANAGER:
            return Visibility(brand=principal.brand)
        case Role.CLIENT:
            return Visibility(brand=principal.brand, client=principal.subject)
        case Role.TRADER:
            return Visibility(brand=principal.brand, scope=_scope(principal.scope), trades=True)
        case Role.FEED | Role.PAYMENTS:
            return NOTHING_VISIBLE


def _scope(scope: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], tuple[int, ...]] | None:
    """Return the scope's owners, clones, challenges and accounts; an empty scope covers the whole brand."""
    owners, clones = _items(scope, "owners", str), _items(scope, "clones", str)
    challenges, accounts = _items(scope, "challenges", int), _items(scope, "accounts", int)
    return (owners, clones, challenges, accounts) if owners or clones or challenges or accounts else None


def _items(scope: dict[str, Any], name: str, kind: Callable[[Any], Item]) -> tuple[Item, ...]:
    return tuple(kind(item) for item in scope.get(name) or ())
