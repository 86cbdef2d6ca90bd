"""Principals: the bearer of a token, its role, and the brand it is limited to."""

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
    """The bearer of a token. `subject` is the client of a CLIENT token; `scope` narrows the access of a TRADER."""

    token_id: int
    name: str
    role: Role
    brand: str | None = None  # None: every brand
    subject: str | None = None
    scope: dict[str, Any] = field(default_factory=dict, hash=False)
    expires_at: datetime | None = field(default=None, compare=False)  # of a JWT; a token's row has its own end
    request: str = field(default="", compare=False)  # the request's id, for the audit

    @property
    def key(self) -> Hashable:
        """The bearer's identity: its token, or the subject and brand of its JWT."""
        return self.token_id, self.brand, self.name

    @property
    def actor(self) -> str:
        """The bearer's name in audit rows and receipts; a new token of the same name can retry a request."""
        return f"{self.role.lower()}:{self.subject or self.name}"

    @property
    def is_staff(self) -> bool:
        """Whether the bearer acts for the firm."""
        return self.role in (Role.ADMIN, Role.MANAGER)

    @property
    def is_audited(self) -> bool:
        """Whether the bearer's changes are audited: staff, and a payment provider's confirmations."""
        return self.is_staff or self.role is Role.PAYMENTS

    def require(self, *roles: Role) -> None:
        """Raise Forbidden for any other role."""
        if self.role not in roles:
            raise Forbidden(role=self.role.value)

    def brand_for(self, asked: str | None) -> str:
        """Return the brand to work in: the principal's own, or the one that an admin names.

        Raises NotFound for another brand exactly like for a missing one, and InvalidInput if an admin names none.
        """
        if self.brand is not None and asked not in (None, self.brand):
            raise NotFound("brand", brand=asked)
        brand = self.brand or asked
        if brand is None:
            raise InvalidInput("brand", reason="must be named: an admin has no brand of its own")
        return brand

    def sees(self, brand: str) -> bool:
        """Return whether the principal has this brand, or every brand."""
        return self.brand in (None, brand)
