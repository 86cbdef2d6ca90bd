"""Brands: the firms whose programs the desk runs."""

import re
from collections.abc import Mapping
from typing import Any

from tortoise.expressions import RawSQL

from domain.errors import InvalidInput, NotFound
from domain.validation import text_fault
from models import name_locks
from models.tables.brands import Brand
from services.principals import Principal, Role
from services.saving import SavedObject, check_version, filled_fields
from services.unit_of_work.openings import transaction

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


async def save_brand(principal: Principal, *, name: str, title: str, sample: bool = False) -> str:
    """Create the brand, or change its title; return its name. `sample` marks a new brand as sample data.

    Raises what `update_brand` raises.
    """
    return str((await update_brand(principal, name, {"title": title}, sample=sample)).key)


async def update_brand(
    principal: Principal,
    name: str,
    values: Mapping[str, Any],
    *,
    expected_version: int | None = None,
    sample: bool = False,
) -> SavedObject:
    """Create the brand, or change its title if `values` has one. ADMIN only.

    Raises Forbidden, InvalidInput, VersionConflict.
    """
    principal.require(Role.ADMIN)
    if not NAME.fullmatch(name):
        raise InvalidInput("name", reason="must be a small letter, then at most 31 small letters, digits, _ or -")
    async with transaction() as work:
        await name_locks.lock_name(work.conn, f"brand {name}")
        row = await Brand.get_or_none(name=name)
        check_version(expected_version, row.version if row else 0)
        stored = {"title": row.title} if row else None
        fields = filled_fields(stored, values, {}, ["title"])
        if fault := text_fault(fields["title"], 200):
            raise InvalidInput("title", reason=fault)
        if fields != stored:
            if row is None:
                await Brand.create(name=name, sample=sample, **fields)
            else:
                changes = fields | {"version": row.version + 1, "updated_at": RawSQL("now()")}
                await Brand.filter(name=name).update(**changes)
            work.audit(
                principal, "saveBrand", object_kind="brand", object_id=name, brand=name, before=stored, after=fields
            )
    return SavedObject(name, stored, fields)


async def brand_exists(name: str) -> bool:
    """Return whether the brand exists."""
    return NAME.fullmatch(name) is not None and await Brand.filter(name=name).exists()


async def require_brand(name: str) -> None:
    """Raise NotFound if there is no such brand. Call it inside the unit of work that uses the brand."""
    if not await brand_exists(name):
        raise NotFound("brand", brand=name)
