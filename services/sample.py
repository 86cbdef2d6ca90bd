"""The sample brand `demo`: made up, marked as such, there to be tried out."""

from contextlib import suppress
from decimal import Decimal

from config.errors import Problem
from domain.errors import NoMarket
from domain.instruments import Instrument
from domain.lifecycles import ProgramStatus
from domain.programs import Draft, Step
from domain.terms import GroupKind, PhaseType
from models.tables.brands import Brand
from models.tables.programs import Program
from services import brands, groups, instruments, programs, tokens, wallets
from services.principals import BRANDLESS, Principal, Role

BRAND = "demo"
CLIENT = "alice"
CASH = Decimal(10_000)
ROLES = tuple(role for role in Role if role is not Role.PAYMENTS)  # nobody sits behind a payment provider's hook
DEPOSIT = Decimal(100_000)
SEEDER = Principal(0, "sample", Role.ADMIN)
INSTRUMENTS = (
    Instrument("EURUSD", "EUR", "USD", 5, Decimal("0.01"), Decimal("0.01")),
    Instrument("NZDUSD", "NZD", "USD", 5, Decimal("0.01"), Decimal("0.01")),
    Instrument("XAUUSD", "XAU", "USD", 2, Decimal("0.01"), Decimal("0.01")),
    Instrument("BTCUSD", "BTC", "USD", 2, Decimal("0.0001"), Decimal("0.0001")),
)
GROUPS = {"DEMO-100K-USD": GroupKind.DEMO, "REAL-100K-USD": GroupKind.REAL}


def _evaluation(index: int, name: str, target: int) -> Step:
    return Step(
        phase_index=index,
        phase_type=PhaseType.EVALUATION,
        name=name,
        account_group="DEMO-100K-USD",
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
        account_group="REAL-100K-USD",
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


async def seed(*, beside_real_brands: bool = False) -> dict[str, str]:
    """Make the sample data where it is missing; answers a fresh token a role, the earlier ones revoked.

    Raises Problem, and touches nothing, where the database has brands that are no sample.
    """
    if not beside_real_brands and await Brand.filter(sample=False).exists():
        raise Problem(
            "the database has brands of its own, so no sample data is put into it; set PROPDESK_SAMPLE_DATA=false"
        )
    await brands.save(SEEDER, name=BRAND, title="Demo (sample data)", sample=True)
    for instrument in INSTRUMENTS:
        await instruments.save(SEEDER, instrument)
    for name, kind in GROUPS.items():
        await groups.save(SEEDER, brand=BRAND, name=name, kind=kind, currency="USD", deposit=DEPOSIT)
    for draft in PROGRAMS:
        if not await Program.filter(brand=BRAND, name=draft.name).exists():
            program_id = await programs.create(SEEDER, draft, brand=BRAND)
            await programs.update(SEEDER, program_id, expected_version=1, status=ProgramStatus.ACTIVE)
    with suppress(NoMarket):  # money moves at the market's time: a replay without quotes gets it at its next start
        await wallets.deposit(SEEDER, brand=BRAND, client=CLIENT, currency="USD", amount=CASH, key="sample")
    return {role.value: await _token(role) for role in ROLES}


async def _token(role: Role) -> str:
    return await tokens.reissue(
        role=role,
        brand=None if role in BRANDLESS else BRAND,
        name=f"sample-{role.lower()}",
        subject=CLIENT if role is Role.CLIENT else None,
    )
