"""Authentication by an API token of the desk, or by a JWT of a trusted issuer.

A JWT has the claims `sub`, `brand`, `role` (CLIENT or MANAGER) and `exp`. The desk decides which algorithms it accepts,
never the JWT: HS256 with a shared secret, else those of public keys.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from jwt.types import Options

from app.request.jwt_keys import JwtKeys
from config.settings import Settings
from domain.validation import text_fault
from services import host_clock, tokens
from services.principals import Principal, Role

SHARED = ["HS256"]
PUBLIC = ["RS256", "PS256", "ES256", "EdDSA"]
CLAIMS = ["exp", "sub", "brand", "role"]
LEEWAY_SECONDS = 30
SECONDS_MAX = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # the latest `exp`
NO_TIMES: Options = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}  # PyJWT would compare with this host's clock
ROLES = {role.value: role for role in (Role.CLIENT, Role.MANAGER)}
# Errors of PyJWT, and errors that claims and headers of unexpected types, sizes and depths cause in it.
FAULTS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Claims:
    """The checked claims of a JWT."""

    subject: str
    brand: str
    role: Role
    expires_at: datetime

    @classmethod
    def of(cls, claims: dict[str, Any]) -> "Claims":
        """Check the claims. Raises ValueError for one of another type or out of its range."""
        subject, brand, role, expires = (claims[name] for name in ("sub", "brand", "role", "exp"))
        if not isinstance(role, str) or role not in ROLES:
            raise ValueError("role must be CLIENT or MANAGER")
        for text in (subject, brand):
            if not isinstance(text, str) or text_fault(text, 100):
                raise ValueError("sub and brand must be text of at most 100 characters")
        if type(expires) not in (int, float) or not 0 <= expires <= SECONDS_MAX:
            raise ValueError("exp must be a number of seconds")
        return cls(subject, brand, ROLES[role], datetime.fromtimestamp(expires, UTC))


def _require_time(claims: dict[str, Any]) -> None:
    """Raise ValueError unless the JWT is valid now, by the database's clock."""
    now = host_clock.database_time().timestamp()
    for name in ("exp", "nbf", "iat"):
        if name in claims and type(claims[name]) not in (int, float):
            raise ValueError(f"{name} must be a number of seconds")
    if not claims["exp"] > now - LEEWAY_SECONDS:
        raise ValueError("exp has passed")
    if not all(claims.get(name, 0) <= now + LEEWAY_SECONDS for name in ("nbf", "iat")):
        raise ValueError("nbf or iat is in the future")


def _is_jwt(text: str) -> bool:
    return text.count(".") == 2


class Authenticator:
    """The authentication of Authorization headers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        address, seconds, waiting = settings.jwt_jwks_url, settings.jwt_keys_seconds_max, settings.jwt_waiting_max
        self._keys = JwtKeys(address, seconds, waiting) if address else None
        self._brands: set[str] = set()  # brands that exist; none is ever deleted

    async def bearer(self, header: str | None) -> Principal | None:
        """Return the principal of an Authorization header; None without a valid token.

        Raises Busy if too many requests wait for the keys of JWTs.
        """
        text = self._text(header)
        if text is None:
            return None
        return await (self._of_jwt(text) if _is_jwt(text) else tokens.authenticate(text))

    def recall(self, header: str | None) -> tokens.Recalled | None:
        """Return the remembered principal of a header's token; None for a JWT and for a token that is not remembered.

        A lookup of the token begins as well. Nothing may be written or answered before it has confirmed the principal.
        """
        text = self._text(header)
        return None if text is None or _is_jwt(text) else tokens.recall(text)

    def _text(self, header: str | None) -> str | None:
        scheme, _, text = (header or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not 0 < len(text) <= self._settings.bearer_characters_max:
            return None
        return text

    async def _of_jwt(self, text: str) -> Principal | None:
        try:
            claims = Claims.of(await self._claims(text))
        except FAULTS:
            return None
        if not await self._is_brand(claims.brand):
            return None
        client = claims.subject if claims.role is Role.CLIENT else None
        return Principal(0, claims.subject, claims.role, claims.brand, client, expires_at=claims.expires_at)

    async def _claims(self, text: str) -> dict[str, Any]:
        """Return the claims of a signed text. Raises one of FAULTS."""
        secret = self._settings.jwt_secret
        if secret:
            return self._decode(text, secret, SHARED)
        key = await self._keys.find(jwt.get_unverified_header(text).get("kid")) if self._keys else None
        if key is None:
            raise jwt.InvalidKeyError("the key is unknown")
        return self._decode(text, key, [name for name in PUBLIC if name == key.algorithm_name])

    def _decode(self, text: str, key: str | jwt.PyJWK, algorithms: list[str]) -> dict[str, Any]:
        audience, issuer = self._settings.jwt_audience, self._settings.jwt_issuer
        claims: dict[str, Any] = jwt.decode(
            text,
            key,
            algorithms=algorithms,
            audience=audience,
            issuer=issuer,
            options=Options(require=CLAIMS, verify_aud=audience is not None, **NO_TIMES),
        )
        _require_time(claims)
        return claims

    async def _is_brand(self, brand: str) -> bool:
        if brand not in self._brands and await tokens.is_brand(brand):
            self._brands.add(brand)
        return brand in self._brands
