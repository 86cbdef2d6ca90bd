"""Roles: every root field with every role, and without a token."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import connect

from domain.instruments import GuardMode
from resolvers.main import Mutation, Query, Subscription
from schema.engine.permissions import roles_of
from schema.engine.strawberry_internals import class_definition
from services import instruments
from services.principals import Role
from tests.api.clients import PATIENCE_SECONDS, TRANSPORT, Api
from tests.api.generated import operation, roots
from tests.api.streams import subscribe
from tests.services import world as world_of
from tests.services.world import a_world

HOLDERS = {
    Role.ADMIN: (None, None),
    Role.MANAGER: ("acme", None),
    Role.CLIENT: ("acme", "alice"),
    Role.TRADER: ("acme", None),
    Role.FEED: (None, None),
    Role.PAYMENTS: ("acme", None),
}
EVERYONE = set(Role)
READERS = EVERYONE - {Role.FEED, Role.PAYMENTS}
STAFF = {Role.ADMIN, Role.MANAGER}
BUYERS = STAFF | {Role.CLIENT}
ADMIN = {Role.ADMIN}

ALLOWED = {
    "me": EVERYONE,
    "quotes": EVERYONE,
    "quoteHistory": READERS,
    "account": READERS,
    "accounts": READERS,
    "challenge": READERS,
    "challenges": READERS,
    "challengeMetrics": READERS,
    "challengeBreaches": READERS,
    "challengeCounters": READERS,
    "decisionAction": READERS,
    "instruments": READERS,
    "currencies": READERS,
    "availablePrograms": BUYERS,
    "program": BUYERS,
    "purchase": BUYERS,
    "purchases": BUYERS,
    "wallets": BUYERS,
    "transfers": BUYERS,
    "payouts": BUYERS,
    "programs": STAFF,
    "accountGroups": STAFF,
    "jobs": STAFF,
    "auditLog": STAFF,
    "quoteVoids": STAFF,
    "challengesHit": STAFF,
    "bulkReinstatement": STAFF,
    "bulkReinstatements": STAFF,
    "apiTokens": STAFF,
    "houseAccounts": STAFF,
    "system": ADMIN,
    "saveBrand": ADMIN,
    "saveInstrument": ADMIN,
    "voidQuotes": ADMIN,
    "saveCurrency": ADMIN,
    "markAllToMarket": ADMIN,
    "saveAccountGroup": STAFF,
    "createProgram": STAFF,
    "updateProgram": STAFF,
    "depositToWallet": STAFF,
    "withdrawFromWallet": STAFF,
    "requestPayout": BUYERS,
    "cancelPayout": BUYERS,
    "approvePayout": STAFF,
    "rejectPayout": STAFF,
    "createApiToken": STAFF,
    "revokeApiToken": STAFF,
    "bootstrapAdmin": set(),  # who knows the secret; nobody by role
    "markAccountToMarket": STAFF,
    "releaseQuarantine": STAFF,
    "retryJob": STAFF,
    "cancelChallenge": STAFF,
    "deleteProgram": STAFF,
    "deletePurchase": STAFF,
    "programPresets": STAFF,
    "refundPurchase": STAFF,
    "updatePurchase": STAFF,
    "validateProgram": STAFF,
    "createAccount": STAFF,
    "startAccount": STAFF,
    "completeAccount": STAFF,
    "liquidateAccount": STAFF,
    "pauseAccount": STAFF,
    "resumeAccount": STAFF,
    "lockAccount": STAFF,
    "adjustAccount": STAFF,
    "unlockAccount": STAFF,
    "voidOrder": STAFF,
    "voidFill": STAFF,
    "recomputeAccount": STAFF,
    "reinstateChallenge": STAFF,
    "reinstateChallenges": STAFF,
    "buyChallenge": {Role.CLIENT},
    "confirmPayment": STAFF | {Role.PAYMENTS},
    "submitDecisionActions": READERS,
    "previewDecisionActions": READERS,
    "cancelOrder": READERS,
    "ingestQuotes": {Role.ADMIN, Role.FEED},
    "challengeEvents": READERS,
    "accountUpdates": READERS,
    "feedEvents": STAFF | {Role.FEED},
}


@pytest.mark.parametrize("root", [Query, Mutation, Subscription])
def test_every_root_field_declares_its_roles(root: Any) -> None:
    declared = {field.name: roles_of(field) for field in class_definition(root).fields}
    assert all(declared.values()), declared


def test_the_table_above_names_every_root_field() -> None:
    assert set(ALLOWED) == {name for names in roots().values() for name in names}


@pytest.mark.parametrize("role", Role)
async def test_each_root_field_lets_its_roles_through_and_nobody_else(api: Api, role: Role) -> None:
    await a_world(api.database_url)
    await api.token("FEED")  # the token of number 1, which is revoked on the way
    token = await api.token(role, *HOLDERS[role])
    for kind in ("query", "mutation"):
        for name in roots()[kind]:
            text, variables = operation(kind, name)
            answer = await api.answer(text, token, **variables)
            codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
            assert codes <= {"FORBIDDEN", "NOT_FOUND"}, (name, answer)
            assert ("FORBIDDEN" in codes) == (role not in ALLOWED[name]), (name, answer)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the processor share without a token, which this test would use up on a busy machine."""
    monkeypatch.setenv("PROPDESK_PROCESSOR_SHARE_NOBODY", "1000")


@pytest.mark.parametrize("token", [None, "pd_00000000_made-up"])
async def test_nobody_gets_anything(patient: None, api: Api, token: str | None) -> None:
    for kind in ("query", "mutation"):
        for name in roots()[kind]:
            text, variables = operation(kind, name)
            expected = "FORBIDDEN" if name == "bootstrapAdmin" and token is None else "UNAUTHENTICATED"
            assert await api.code(text, token, **variables) == expected, name


FIRST = {"challengeEvents": "prop.purchase.paid", "feedEvents": "prop.feed.suspect"}


async def test_each_role_follows_what_it_may_and_is_told_of_the_rest_that_it_may_not(api: Api) -> None:
    world = await a_world(api.database_url)
    await world.buy()
    await instruments.update_instrument(
        world_of.ADMIN, "EURUSD", {"guard": {"mode": GuardMode.WARN, "move_pct": Decimal(1)}}
    )
    await world.quote("1.2", after=timedelta(seconds=1))
    for role in Role:
        token = await api.token(role, *HOLDERS[role])
        for name in roots()["subscription"]:
            text, variables = operation("subscription", name)
            if name in FIRST:
                text = f'subscription {{ {name}(after: "0") {{ name }} }}'
            async with connect(api.websocket_url, subprotocols=[TRANSPORT]) as socket:
                await subscribe(socket, token, text, **variables)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    payload = json.loads(await socket.recv())["payload"]
            errors = payload if isinstance(payload, list) else payload.get("errors", [])
            codes = {error["extensions"]["code"] for error in errors}
            assert ("FORBIDDEN" in codes) == (role not in ALLOWED[name]), (role, name, payload)
            if name in FIRST and role in ALLOWED[name]:
                first = "prop.challenge.started" if (name, role) == ("challengeEvents", Role.TRADER) else FIRST[name]
                assert payload["data"][name]["name"] == first
