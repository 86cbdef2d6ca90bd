"""API tokens: created once, shown once, stored as a hash, revocable."""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from tortoise.expressions import RawSQL

from config.settings import settings
from domain.errors import Forbidden, InvalidInput, NotFound
from domain.validation import text_fault
from models import tokens as rows
from models.tables.tokens import Token
from services import brands, host_clock
from services.coalescing import Coalesced
from services.connections import control
from services.futures import mark_retrieved
from services.per_database import PerDatabase
from services.principals import BRANDLESS, Principal, Role
from services.unit_of_work.openings import transaction
from services.unit_of_work.reads import read_connection

MADE_BY_MANAGER = (Role.TRADER, Role.CLIENT, Role.PAYMENTS)
KNOWN_MAX = 10_000  # bearers that a process remembers
SCOPE_MAX = 1_000  # entries of one of a scope's lists

Scope = Mapping[str, Sequence[str]]
"""Scope of a TRADER token by `owners`, `clones`, `challenges`, `accounts`; without an entry, the whole brand."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; its text is stored nowhere."""

    id: int
    text: str


async def create_token(*, role: str, brand: str | None, name: str, subject: str | None = None) -> str:
    """Create a token for the operator at the machine; return its text, `pd_<prefix>_<secret>`, once.

    Raises InvalidInput, NotFound.
    """
    checked = _checked(role, brand, name, subject)
    async with transaction():
        return (await _issue(checked, brand, name, subject)).text


async def create_for(
    principal: Principal,
    *,
    role: str,
    name: str,
    brand: str | None = None,
    subject: str | None = None,
    scope: Scope | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    """Create a token for a principal: a MANAGER creates TRADER, CLIENT and PAYMENTS tokens of its brand.

    `scope` narrows the access of a TRADER. Raises Forbidden, InvalidInput, NotFound.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    if principal.role is Role.MANAGER:
        if role not in MADE_BY_MANAGER:
            raise Forbidden("role", role=principal.role.value)
        brand = principal.brand_for(brand)
    checked = _checked(role, brand, name, subject)
    narrowed = _narrowed(checked, scope or {})
    if expires_at is not None and expires_at <= host_clock.database_time():
        raise InvalidInput("expiresAt", reason="must lie ahead", found=expires_at.isoformat())
    async with transaction() as work:
        issued = await _issue(checked, brand, name, subject, narrowed, expires_at)
        work.audit(
            principal,
            "createApiToken",
            object_kind="token",
            object_id=issued.id,
            brand=brand,
            after={"role": checked.value, "name": name, "subject": subject, "scope": json.dumps(narrowed)},
        )
    return issued


async def bootstrap(secret: str, *, name: str, request: str) -> str:
    """Create the desk's first ADMIN token for a caller with the operator's secret; return its text, once.

    `request` is the request's id, for the audit. Raises Forbidden, alike for a wrong secret, for a desk that has none,
    and for one that has or had an ADMIN token; InvalidInput.
    """
    expected = settings().bootstrap_secret
    if not hmac.compare_digest(_digest(secret), _digest(expected or "")) or expected is None:
        raise Forbidden("secret")
    _checked(Role.ADMIN, None, name, None)
    async with transaction() as work:
        await rows.lock_bootstrap(work.conn)
        if await Token.filter(role=Role.ADMIN.value).exists():
            raise Forbidden("secret")
        issued = await _issue(Role.ADMIN, None, name, None)
        maker = Principal(issued.id, name, Role.ADMIN, request=request)
        told = {"role": Role.ADMIN.value, "name": name}
        work.audit(maker, "bootstrapAdmin", object_kind="token", object_id=issued.id, after=told)
    return issued.text


async def revoke_token(principal: Principal, token_id: int) -> None:
    """Revoke a token at once; revoking it again changes nothing. A MANAGER revokes what it may create, in its brand.

    Raises Forbidden, NotFound.
    """
    principal.require(Role.ADMIN, Role.MANAGER)
    async with transaction() as work:
        token = await Token.filter(id=token_id).select_for_update(no_key=True).first()
        if token is None or not _may_revoke(principal, token):
            raise NotFound("id", id=token_id)
        was_revoked = token.revoked_at is not None
        if not was_revoked:
            await Token.filter(id=token_id).update(revoked_at=RawSQL("now()"))
        told = {"role": token.role, "name": token.name, "subject": token.subject}
        work.audit(
            principal,
            "revokeApiToken",
            object_kind="token",
            object_id=token_id,
            brand=token.brand_id,
            before=told | {"revoked": was_revoked},
            after=told | {"revoked": True},
        )


def _may_revoke(principal: Principal, token: Token) -> bool:
    return principal.brand is None or (token.brand_id == principal.brand and token.role in MADE_BY_MANAGER)


async def reissue_token(*, role: str, brand: str | None, name: str, subject: str | None = None) -> str:
    """Create a token and revoke every earlier one of the same name; return its text, once."""
    checked = _checked(role, brand, name, subject)
    async with transaction():
        await Token.filter(name=name, revoked_at=None).update(revoked_at=RawSQL("now()"))
        return (await _issue(checked, brand, name, subject)).text


async def is_valid(name: str) -> bool | None:
    """Return whether a token of this name works; None if there never was one."""
    async with read_connection() as conn:
        return await rows.is_valid(conn, name)


async def ended(ids: Collection[int]) -> set[int]:
    """Return the tokens that are revoked or have expired."""
    async with control() as conn:
        return await rows.ended_tokens(conn, ids)


async def is_brand(name: str) -> bool:
    """Return whether the brand that a JWT names exists."""
    if not brands.NAME.fullmatch(name):
        return False
    async with control() as conn:
        return await rows.brand_exists(conn, name)


async def authenticate(text: str) -> Principal | None:
    """Return the bearer of this token; None if it is unknown, revoked or expired. Call it outside any transaction."""
    digest = _digest(text)
    return await _looked_up(digest, _lookup().ask(digest))


class Recalled:
    """The bearer of a token at its last lookup, while a new lookup is under way."""

    __slots__ = ("_answer", "_digest", "bearer")

    def __init__(self, digest: bytes, bearer: Principal) -> None:
        self.bearer = bearer
        self._digest = digest
        self._answer = _lookup().ask(digest)
        self._answer.add_done_callback(mark_retrieved)

    async def confirmed(self) -> Principal | None:
        """Return the bearer as `authenticate` looks it up after this object was made."""
        return await _looked_up(self._digest, self._answer)


def recall(text: str) -> Recalled | None:
    """Return the bearer of a token that was valid a while ago, or None.

    Until the lookup confirms it, work for that bearer may only read, and no answer may be sent.
    """
    digest = _digest(text)
    bearer = _known().get(digest)
    return None if bearer is None else Recalled(digest, bearer)


async def _looked_up(digest: bytes, answer: "asyncio.Future[asyncpg.Record | None]") -> Principal | None:
    row, known = await answer, _known()
    if row is None:
        known.pop(digest, None)
        return None
    if row["stale"]:
        await _touch().get(row["id"])
    scope = json.loads(row["scope"])
    bearer = Principal(row["id"], row["name"], Role(row["role"]), row["brand"], row["subject"], scope)
    if known.get(digest) != bearer:
        known[digest] = bearer
        if len(known) > KNOWN_MAX:
            del known[next(iter(known))]
    return bearer


async def _valid(digests: Collection[bytes]) -> dict[bytes, asyncpg.Record]:
    async with control() as conn:
        return {row["hash"]: row for row in await rows.valid_tokens(conn, digests)}


async def _touched(ids: Collection[int]) -> dict[int, bool]:
    async with control() as conn:
        await rows.touch_tokens(conn, ids)
    return dict.fromkeys(ids, True)


_known = PerDatabase(dict[bytes, Principal])
"""By digest, the bearers of tokens that were valid at their last lookup."""
_lookup = PerDatabase(lambda: Coalesced(_valid))
_touch = PerDatabase(lambda: Coalesced(_touched))


def _checked(role: str, brand: str | None, name: str, subject: str | None) -> Role:
    """Return the role if everything fits it. Raises InvalidInput, naming the field."""
    if role not in list(Role):
        raise InvalidInput("role", reason=f"must be one of {', '.join(Role)}")
    known = Role(role)
    if (brand is None) != (known in BRANDLESS):
        raise InvalidInput("brand", reason="must be named for every role but ADMIN and FEED, which have none")
    if (subject is None) != (known is not Role.CLIENT):
        raise InvalidInput("subject", reason="is the client of a CLIENT token, and only of that")
    for field, text in (("name", name), ("subject", subject)):
        if text is not None and (fault := text_fault(text, 100)):
            raise InvalidInput(field, reason=fault)
    return known


def _narrowed(role: Role, scope: Scope) -> Scope:
    """Return the scope without its empty lists, each entry checked. Raises InvalidInput, naming the list."""
    given = {name: list(entries) for name, entries in scope.items() if entries}
    if given and role is not Role.TRADER:
        raise InvalidInput("scope", reason="narrows a TRADER token, and only that")
    for name, entries in given.items():
        if len(entries) > SCOPE_MAX:
            raise InvalidInput(f"scope.{name}", size_max=SCOPE_MAX, size=len(entries))
        for entry in entries:
            if fault := _entry_fault(name, entry):
                raise InvalidInput(f"scope.{name}", reason=fault)
    return given


def _entry_fault(name: str, entry: str) -> str | None:
    """Return what is wrong with an entry of a scope's list, or None."""
    if name in ("challenges", "accounts"):
        return None if re.fullmatch("[1-9][0-9]{0,17}", entry) else "must be the number of an object"
    return text_fault(entry, 100)


async def _issue(
    role: Role,
    brand: str | None,
    name: str,
    subject: str | None,
    scope: Scope | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    if brand is not None:
        await brands.require_brand(brand)
    prefix = f"pd_{secrets.token_hex(4)}"
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    token = await Token.create(
        brand_id=brand,
        role=role.value,
        name=name,
        subject=subject,
        prefix=prefix,
        hash=_digest(text),
        scope=dict(scope or {}),
        expires_at=expires_at,
    )
    return Issued(token.id, text)


def _digest(text: str) -> bytes:
    """A plain hash is enough: the secret is 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(text.encode(errors="replace")).digest()
