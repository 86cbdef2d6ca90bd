"""Brands: the firms whose programs the desk runs."""

import re

from domain.checks import text_fault
from domain.errors import InvalidInput, NotFound
from models import brands as rows
from models import turns
from models.tables.brands import Brand
from services.principals import Principal, Role
from services.unit import plain

NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


async def save(principal: Principal, *, name: str, title: str, sample: bool = False) -> str:
    """Make the brand, or change its title; answers its name. ADMIN only; `sample` marks one that is no firm.

    Raises Forbidden, InvalidInput.
    """
    principal.require(Role.ADMIN)
    if not NAME.fullmatch(name):
        raise InvalidInput("name", reason="must be a small letter, then at most 31 small letters, digits, _ or -")
    if fault := text_fault(title, 200):
        raise InvalidInput("title", reason=fault)
    async with plain() as work:
        await turns.take(work.conn, f"brand {name}")
        before = await Brand.get_or_none(name=name)
        await rows.upsert(work.conn, name, title, sample=sample)
        told = {"title": before.title} if before else None
        work.audit(
            principal, "saveBrand", object_kind="brand", object_id=name, brand=name, before=told, after={"title": title}
        )
    return name


async def exists(name: str) -> bool:
    """Is there such a brand?"""
    return NAME.fullmatch(name) is not None and await Brand.filter(name=name).exists()


async def require(name: str) -> None:
    """Raises NotFound where there is no such brand. Call it inside the unit that goes on to use the brand."""
    if not await exists(name):
        raise NotFound("brand", brand=name)
