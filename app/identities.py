"""Who bears a request: a token of ours, or a JWT that somebody we trust has signed.

A JWT says `sub`, `brand`, `role` (CLIENT or MANAGER) and `exp`. Its algorithm is ours to name, never its own: HS256
where a secret is shared, else those of public keys.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt

from config.settings import Settings
from domain.checks import text_fault
from services import brands, tokens
from services.principals import Principal, Role

SHARED = ["HS256"]
PUBLIC = ["RS256", "PS256", "ES256", "EdDSA"]
CLAIMS = ["exp", "sub", "brand", "role"]
LEEWAY_SECONDS = 30
KEYS_SECONDS = 600  # before the keys are fetched again
RETRY_SECONDS = 10  # at the earliest, for a key that is not known
ROLES = {role.value: role for role in (Role.CLIENT, Role.MANAGER)}


class KeySet:
    """The public keys at an address, fetched when they are needed and kept for a while."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched_at = float("-inf")
        self._alone = asyncio.Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of this id; None where there is none. An unknown one is asked for: keys change at any time."""
        async with self._alone:
            age = time.monotonic() - self._fetched_at
            if age > KEYS_SECONDS or (key_id not in self._keys and age > RETRY_SECONDS):
                await self._fetch()
        return self._keys.get(key_id)

    async def _fetch(self) -> None:
        """Whatever goes wrong, the keys known so far stay."""
        self._fetched_at = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                found = (await client.get(self._url)).raise_for_status().json()
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(found).keys}
        except (httpx.HTTPError, ValueError, AttributeError, jwt.PyJWTError):
            return


class Identities:
    """Tells who a header's bearer is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = KeySet(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
        self._brands: set[str] = set()  # brands stay, so one that was there is there

    async def bearer(self, header: str | None) -> Principal | None:
        """The principal of an Authorization header; None for none that is valid."""
        scheme, _, text = (header or "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            return None
        if text.count(".") == 2:
            return await self._of_jwt(text)
        return await tokens.authenticate(text)

    async def _of_jwt(self, text: str) -> Principal | None:
        try:
            claims = await self._claims(text)
        except (jwt.PyJWTError, ValueError):
            return None
        subject, brand, role = claims["sub"], claims["brand"], ROLES.get(str(claims["role"]))
        if role is None or not isinstance(brand, str) or text_fault(subject, 100) or not await self._is_brand(brand):
            return None
        client = subject if role is Role.CLIENT else None
        ends = datetime.fromtimestamp(claims["exp"], UTC)
        return Principal(0, subject, role, brand, client, expires_at=ends)

    async def _claims(self, text: str) -> dict[str, Any]:
        """The claims of a signed text. Raises PyJWTError."""
        secret = self._settings.jwt_secret
        if secret:
            return self._decode(text, secret, SHARED)
        key = await self._keys.find(jwt.get_unverified_header(text).get("kid")) if self._keys else None
        if key is None:
            raise jwt.InvalidKeyError("no key of ours")
        return self._decode(text, key, [name for name in PUBLIC if name == key.algorithm_name])

    def _decode(self, text: str, key: str | jwt.PyJWK, algorithms: list[str]) -> dict[str, Any]:
        audience, issuer = self._settings.jwt_audience, self._settings.jwt_issuer
        claims: dict[str, Any] = jwt.decode(
            text,
            key,
            algorithms=algorithms,
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": CLAIMS, "verify_aud": audience is not None},
        )
        return claims

    async def _is_brand(self, brand: str) -> bool:
        if brand not in self._brands and await brands.exists(brand):
            self._brands.add(brand)
        return brand in self._brands
