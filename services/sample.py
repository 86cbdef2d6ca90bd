"""The sample brand `demo`: invented data, marked as such, for trying the desk."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from types import MappingProxyType

from domain.errors import NoMarket
from domain.instruments import Instrument, InstrumentKind
from domain.lifecycles import ProgramStatus
from domain.programs import Draft, Step
from domain.quote_guard import DEFAULTS
from domain.terms import GroupKind, PhaseType
from models.tables.brands import Brand
from models.tables.groups import AccountGroup
from models.tables.instruments import Instrument as InstrumentRow
from models.tables.programs import Program
from services import brands, groups, instruments, programs, tokens, wallets
from services.principals import BRANDLESS, Principal, Role

BRAND = "demo"
CLIENT = "alice"
CASH = Decimal(10_000)
ROLES = tuple(role for role in Role if role is not Role.PAYMENTS)  # nobody sits behind a payment provider's hook
DEPOSIT = Decimal(100_000)
SEEDER = Principal(0, "sample", Role.ADMIN)
WARNS = DEFAULTS[InstrumentKind.FOREX]
INSTRUMENTS = (
    Instrument("EURUSD", "EUR", "USD", 5, Decimal("0.01"), Decimal("0.01"), guard=WARNS),
    Instrument("NZDUSD", "NZD", "USD", 5, Decimal("0.01"), Decimal("0.01"), guard=WARNS),
    Instrument("XAUUSD", "XAU", "USD", 2, Decimal("0.01"), Decimal("0.01"), guard=WARNS),
    Instrument("BTCUSD", "BTC", "USD", 2, Decimal("0.0001"), Decimal("0.0001"), guard=WARNS),
)
GROUPS = {"PROP_DEMO_USD": GroupKind.DEMO, "PROP_REAL_USD": GroupKind.REAL}


def _evaluation(index: int, name: str, target: int) -> Step:
    return Step(
        phase_index=index,
        phase_type=PhaseType.EVALUATION,
        name=name,
        account_group="PROP_DEMO_USD",
        duration_days=30,
        max_daily_loss_pct=Decimal(5),
        max_total_loss_pct=Decimal(10),
        profit_target_pct=Decimal(target),
        min_trading_days=3,
        max_positions=10,
    )


def _funded(index: int) -> Step:
    return Step(
        phase_index=index,
        phase_type=PhaseType.FUNDED,
        name="Funded",
        account_group="PROP_REAL_USD",
        duration_days=30,
        max_daily_loss_pct=Decimal(5),
        max_total_loss_pct=Decimal(10),
        profit_split=Decimal("0.8"),
        max_positions=10,
    )


PROGRAMS = (
    Draft(
        name="Two-step 100K",
        description="Two evaluations, 8 % and then 5 %; then a funded account with 80 % of its profit for the trader.",
        price=Decimal(499),
        price_currency="USD",
        steps=(_evaluation(1, "Evaluation", 8), _evaluation(2, "Verification", 5), _funded(3)),
        sort_index=1,
    ),
    Draft(
        name="One-step 100K",
        description="One evaluation of 10 %; then a funded account with 80 % of its profit for the trader.",
        price=Decimal(599),
        price_currency="USD",
        steps=(_evaluation(1, "Evaluation", 10), _funded(2)),
        sort_index=2,
    ),
)


async def seed_sample(
    kept: Mapping[str, str] = MappingProxyType({}), *, beside_real_brands: bool = False
) -> dict[str, str]:
    """Create the sample data on a new desk; return its tokens, by role.

    Existing sample data is not created again or reset. `kept` are tokens returned before: working ones stay, and one
    that was revoked by hand is not replaced. Returns no token and changes nothing if the desk has only brands of its
    own, unless `beside_real_brands`.
    """
    if await tokens.is_valid(_name(Role.ADMIN)) is None:  # tokens come last: an interrupted start goes on here
        if not beside_real_brands and await Brand.filter(sample=False).exists():
            return {}
        await _make()
    with suppress(NoMarket):  # transfers have market time: a replay without quotes gets the money at its next start
        await wallets.deposit_to_wallet(SEEDER, brand=BRAND, client=CLIENT, currency="USD", amount=CASH, key="sample")
    texts = {role.value: await _token(role, kept.get(role.value)) for role in reversed(ROLES)}
    return {role.value: text for role in ROLES if (text := texts[role.value]) is not None}


async def _make() -> None:
    """Create the missing brand, instruments, groups and programs."""
    await brands.save_brand(SEEDER, name=BRAND, title="Demo (sample data)", sample=True)
    for instrument in INSTRUMENTS:
        if not await InstrumentRow.filter(symbol=instrument.symbol).exists():
            await instruments.save_instrument(SEEDER, instrument)
    for name, kind in GROUPS.items():
        if not await AccountGroup.filter(brand_id=BRAND, name=name).exists():
            await groups.save_group(SEEDER, brand=BRAND, name=name, kind=kind, currency="USD", deposit=DEPOSIT)
    for draft in PROGRAMS:
        if not await Program.filter(brand_id=BRAND, name=draft.name).exists():
            program_id = await programs.create_program(SEEDER, draft, brand=BRAND)
            await programs.update_program(SEEDER, program_id, expected_version=1, status=ProgramStatus.ACTIVE)


def _name(role: Role) -> str:
    return f"sample-{role.lower()}"


async def _token(role: Role, kept: str | None) -> str | None:
    """Return a role's token: the kept one, else a new one; None if it was revoked by hand."""
    bearer = None if kept is None else await tokens.authenticate(kept)
    if bearer is not None and (bearer.name, bearer.role) == (_name(role), role):
        return kept
    if await tokens.is_valid(_name(role)) is False:
        return None
    return await tokens.reissue_token(
        role=role,
        brand=None if role in BRANDLESS else BRAND,
        name=_name(role),
        subject=CLIENT if role is Role.CLIENT else None,
    )
