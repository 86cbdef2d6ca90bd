"""The firm whose desk is under load: brand, instruments, groups, programs that are passed and failed soon, tokens."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.generator import SHAPES
from tests.cluster.desk import Desk, propdesk
from tests.cluster.journal import Journal
from tests.cluster.speaker import Speaker

BRAND = "chaos"
CASH = "1000000"  # what each client's wallet begins with
DEPOSIT = "100000"  # of an account
POLICY: dict[str, Any] = {
    "leverageMax": "200",
    "notionalMax": "20000000",
    "positionEquityPctMax": "20000",
    "feeBps": "0.2",
    "slippage": "BID_ASK",
    "quoteAgeSecondsMax": 600,  # a feed that was cut off for a while stops no test
    "positionsMax": 8,
}
STAFF = {"manager": "MANAGER", "bot": "TRADER", "hook": "PAYMENTS", "feed": "FEED"}
EVALUATED: dict[str, Any] = {
    "phaseIndex": 1,
    "phaseType": "EVALUATION",
    "name": "Evaluation",
    "accountGroup": "DEMO_USD",
    "profitTargetPct": "1",
    "maxDailyLossPct": "3",
    "maxTotalLossPct": "5",
}
FUNDED: dict[str, Any] = {
    "phaseType": "FUNDED",
    "name": "Funded",
    "accountGroup": "REAL_USD",
    "maxTotalLossPct": "20",
    "profitSplit": "0.8",
}
PROGRAMS: Mapping[str, Sequence[dict[str, Any]]] = {
    "Evaluation and funded": (EVALUATED, FUNDED | {"phaseIndex": 2}),
    "Funded at once": (FUNDED | {"phaseIndex": 1, "payout": {"feeBack": True}},),
}
PRICE = "100"


@dataclass(slots=True)
class Firm:
    """Who speaks for the firm and its clients, and what it sells."""

    speakers: dict[str, Speaker]
    clients: tuple[str, ...]
    programs: list[str] = field(default_factory=list)  # ids
    wallets: dict[str, str] = field(default_factory=dict)  # ids by client

    def __getitem__(self, who: str) -> Speaker:
        return self.speakers[who]


async def prepare(
    desk: Desk,
    journal: Journal,
    http: httpx.AsyncClient,
    *,
    clients: int = 6,
    admin_token: str | None = None,
    urls: Sequence[str] | None = None,
    patience_seconds: float = 180.0,
) -> Firm:
    """Set the firm up over the API. `urls` stand in for those of the desk, where clients see other addresses."""
    reached = tuple(urls or desk.urls)
    token = admin_token or await _admin_token(desk)

    def speaker(place: int, who: str, token: str) -> Speaker:
        nearest = place % len(reached)
        spoken = (*reached[nearest:], *reached[:nearest])
        return Speaker(who, token, spoken, journal, http, patience_seconds)

    admin = speaker(0, "admin", token)
    await admin.done("saveBrand", "brand { name }", has_key=False, name=BRAND, title="Under load")
    for symbol, shape in SHAPES.items():
        await admin.done(
            "saveInstrument", "instrument { symbol }", has_key=False, symbol=symbol, baseCurrency=symbol[:3],
            quoteCurrency=symbol[3:], pricePrecision=-int(shape.point.as_tuple().exponent), quantityStep="0.01",
            quantityMin="0.01", guard={"mode": "WARN"},
        )  # fmt: skip
    names = tuple(f"client-{number}" for number in range(1, clients + 1))
    tokens = {who: (role, None) for who, role in STAFF.items()} | {name: ("CLIENT", name) for name in names}
    speakers = {"admin": admin}
    for place, (who, (role, subject)) in enumerate(tokens.items()):
        made = await admin.done(
            "createApiToken", "token", has_key=False, role=role, name=who, subject=subject,
            brand=None if role == "FEED" else BRAND,
        )  # fmt: skip
        speakers[who] = speaker(place, who, made["token"])
    firm = Firm(speakers, names)
    await _put_on_sale(firm)
    return firm


async def fund(firm: Firm) -> None:
    """Give each client a wallet with cash. After the first quotes: before them the desk has no time."""
    for client in firm.clients:
        funded = await firm["manager"].done(
            "depositToWallet", "wallet { id }", client=client, currency="USD", amount=CASH
        )
        firm.wallets[client] = funded["wallet"]["id"]


async def _put_on_sale(firm: Firm) -> None:
    manager = firm["manager"]
    for name, kind in (("DEMO_USD", "DEMO"), ("REAL_USD", "REAL")):
        await manager.done(
            "saveAccountGroup", "accountGroup { id }", has_key=False, name=name, kind=kind, currency="USD",
            defaultDeposit=DEPOSIT, policy=POLICY,
        )  # fmt: skip
    for name, steps in PROGRAMS.items():
        made = await manager.done(
            "createProgram", "program { id version }", has_key=False, name=name, price=PRICE, priceCurrency="USD",
            zone="UTC", dayStart="00:00", steps=steps,
        )  # fmt: skip
        program = made["program"]
        await manager.done(
            "updateProgram", "program { id status }", has_key=False, id=program["id"],
            expectedVersion=program["version"], status="ACTIVE",
        )  # fmt: skip
        firm.programs.append(program["id"])


async def _admin_token(desk: Desk) -> str:
    """The first admin's token, made as an operator makes it."""
    environment = desk.workers[0].environment if desk.workers else desk.apis[0].environment
    status, said = await propdesk("token", "--role", "ADMIN", "--name", "admin", env=environment)
    found = re.search(r"\bpd_\S+", said)
    assert status == 0 and found, said
    return found[0]
