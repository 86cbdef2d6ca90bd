"""Who asks: a named token, its role, and the brand it cannot look beyond."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.errors import Forbidden, InvalidInput, NotFound


class Role(StrEnum):
    ADMIN = "ADMIN"
    MANAGER = "MANAGER"
    CLIENT = "CLIENT"
    TRADER = "TRADER"
    FEED = "FEED"
    PAYMENTS = "PAYMENTS"


BRANDLESS = frozenset({Role.ADMIN, Role.FEED})


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a token. `subject` is the client a CLIENT speaks for; `scope` narrows what a TRADER reaches."""

    token_id: int
    name: str
    role: Role
    brand: str | None = None  # None: every brand
    subject: str | None = None
    scope: dict[str, Any] = field(default_factory=dict, hash=False)
    expires_at: datetime | None = field(default=None, compare=False)  # of a JWT; a token's row says when it ends
    request: str = field(default="", compare=False)  # the id of what is being asked, for the audit

    @property
    def key(self) -> Hashable:
        """What tells this bearer from others: its token, or the subject and brand of its JWT."""
        return self.token_id, self.brand, self.name

    @property
    def actor(self) -> str:
        """As audit rows and receipts name the bearer; it outlives the token, so that a new one can retry."""
        return f"{self.role.lower()}:{self.subject or self.name}"

    @property
    def is_staff(self) -> bool:
        """Does the bearer act for the firm?"""
        return self.role in (Role.ADMIN, Role.MANAGER)

    @property
    def is_audited(self) -> bool:
        """Is what the bearer changes written to the audit: staff, and a payment provider's confirmations."""
        return self.is_staff or self.role is Role.PAYMENTS

    def require(self, *roles: Role) -> None:
        """Raises Forbidden for any other role."""
        if self.role not in roles:
            raise Forbidden(role=self.role.value)

    def brand_for(self, asked: str | None) -> str:
        """The brand to work in: one's own; an admin names it.

        Raises NotFound for another's, exactly like a missing one, and InvalidInput where an admin names none.
        """
        if self.brand is not None and asked not in (None, self.brand):
            raise NotFound("brand", brand=asked)
        brand = self.brand or asked
        if brand is None:
            raise InvalidInput("brand", reason="must be named: an admin has no brand of its own")
        return brand

    def sees(self, brand: str) -> bool:
        """Is the brand one's own, or is one bound to none?"""
        return self.brand in (None, brand)
