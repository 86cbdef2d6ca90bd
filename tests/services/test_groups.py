"""Account groups: policies with named refusals, and kinds that programs rely on."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from config.database import pool
from domain.errors import Forbidden, InvalidInput, NotFound, Refused, VersionConflict
from domain.terms import Policy, Slippage, policy_from_text
from models.tables.groups import AccountGroup
from services import groups, programs
from services.saving import FieldChange
from tests.services.builders import ADMIN, CLIENT, MANAGER, STRANGER, a_desk, a_draft, a_group


@pytest.fixture
async def desk(database: str) -> None:
    await a_desk()


async def _policy(group_id: int) -> Policy:
    return policy_from_text(await pool().fetchval("select policy::text from account_groups where id = $1", group_id))


async def test_a_policy_left_out_is_the_default_one(desk: None) -> None:
    assert await _policy(await a_group()) == Policy()


async def test_the_fields_given_replace_the_defaults(desk: None) -> None:
    given = {"leverage_max": Decimal(30), "positions_max": 7, "symbols": ["EURUSD"], "slippage": "BID_ASK"}
    wanted = replace(
        Policy(), leverage_max=Decimal(30), positions_max=7, symbols=("EURUSD",), slippage=Slippage.BID_ASK
    )
    assert await _policy(await a_group(policy={**given, "fee_bps": None})) == wanted


async def test_saving_by_name_changes_the_group_and_keeps_its_id(desk: None) -> None:
    first = await a_group(name="EXTRA")
    second = await a_group(name="EXTRA", deposit=Decimal(50_000), currency="EUR", kind="REAL")
    group = await AccountGroup.get(id=first)
    assert second == first
    assert (group.default_deposit, group.currency_id, group.kind) == (Decimal(50_000), "EUR", "REAL")
    assert group.updated_at > group.created_at


async def test_what_is_left_out_stays_and_null_is_the_default(desk: None) -> None:
    group_id = await a_group(name="EXTRA", policy={"leverage_max": Decimal(200), "symbols": ["EURUSD"]})
    saved = await groups.update_group(MANAGER, "EXTRA", {"policy": {"fee_bps": Decimal(3)}}, expected_version=1)
    assert saved.changes == [FieldChange("policy.feeBps", "10", "3")]
    assert await _policy(group_id) == replace(
        Policy(), leverage_max=Decimal(200), symbols=("EURUSD",), fee_bps=Decimal(3)
    )
    saved = await groups.update_group(MANAGER, "EXTRA", {"default_deposit": Decimal(5000)}, expected_version=2)
    assert (saved.key, saved.changes) == (group_id, [FieldChange("defaultDeposit", "100000", "5000")])
    saved = await groups.update_group(MANAGER, "EXTRA", {"policy": {"symbols": None}})
    assert saved.changes == [FieldChange("policy.symbols", "EURUSD", "")]
    saved = await groups.update_group(MANAGER, "EXTRA", {"policy": None})
    assert {change.field for change in saved.changes} == {"policy.leverageMax", "policy.feeBps"}
    assert await _policy(group_id) == Policy()
    assert (await AccountGroup.get(id=group_id)).version == 5
    assert (await groups.update_group(MANAGER, "EXTRA", {"kind": "DEMO"})).changes == []
    assert (await AccountGroup.get(id=group_id)).version == 5
    for values in ({"currency": None}, {"policy": {"hedging": None}}):
        with pytest.raises(InvalidInput):
            await groups.update_group(MANAGER, "EXTRA", values)
    with pytest.raises(InvalidInput) as refusal:
        await groups.update_group(MANAGER, "NEW", {"kind": "DEMO", "currency": "USD"})
    assert refusal.value.field == "defaultDeposit"


async def test_of_two_saves_of_one_version_the_second_is_refused(desk: None) -> None:
    await a_group(name="EXTRA")
    await groups.update_group(MANAGER, "EXTRA", {"default_deposit": Decimal(1)}, expected_version=1)
    for name, expected in (("EXTRA", 1), ("EXTRA", 0), ("NEW", 1)):
        with pytest.raises(VersionConflict):
            await groups.update_group(MANAGER, name, {"default_deposit": Decimal(2)}, expected_version=expected)


async def test_saving_is_audited_with_what_was_before(desk: None) -> None:
    await a_group(name="EXTRA")
    await a_group(name="EXTRA", deposit=Decimal(50_000), policy={"fee_bps": Decimal("2.5")})
    told = await pool().fetch(
        """select before ->> 'default_deposit', after ->> 'default_deposit', before #>> '{policy,fee_bps}',
          after #>> '{policy,fee_bps}' from audit
        where operation = 'saveAccountGroup' and after ->> 'name' = 'EXTRA' order by id"""
    )
    assert [tuple(row) for row in told] == [(None, "100000", None, "10"), ("100000", "50000", "10", "2.5")]


async def test_brands_do_not_share_names(desk: None) -> None:
    assert await a_group(STRANGER) != await a_group()


async def test_an_admin_names_the_brand_and_a_manager_has_its_own(desk: None) -> None:
    assert await a_group(ADMIN, brand="acme") == await a_group()
    for principal, brand in ((STRANGER, "acme"), (ADMIN, "nobody")):
        with pytest.raises(NotFound):
            await a_group(principal, brand=brand)


async def test_a_client_saves_none(desk: None) -> None:
    with pytest.raises(Forbidden):
        await a_group(CLIENT)


BAD: list[tuple[dict[str, Any], type[Refused], str]] = [
    ({"name": ""}, InvalidInput, "name"),
    ({"name": "x" * 65}, InvalidInput, "name"),
    ({"kind": "PAPER"}, InvalidInput, "kind"),
    ({"currency": "XXX"}, NotFound, "currency"),
    ({"deposit": Decimal(0)}, InvalidInput, "defaultDeposit"),
    ({"deposit": Decimal("0.001")}, InvalidInput, "defaultDeposit"),
    ({"deposit": Decimal("Infinity")}, InvalidInput, "defaultDeposit"),
    ({"deposit": Decimal("1e10")}, InvalidInput, "defaultDeposit"),
    ({"policy": {"leverage_max": Decimal(0)}}, InvalidInput, "policy.leverageMax"),
    ({"policy": {"leverage_max": Decimal("1000.1")}}, InvalidInput, "policy.leverageMax"),
    ({"policy": {"notional_max": Decimal("NaN")}}, InvalidInput, "policy.notionalMax"),
    ({"policy": {"notional_max": Decimal("1e12") + 1}}, InvalidInput, "policy.notionalMax"),
    ({"policy": {"positions_max": 0}}, InvalidInput, "policy.positionsMax"),
    ({"policy": {"orders_max": -1}}, InvalidInput, "policy.ordersMax"),
    ({"policy": {"fee_bps": Decimal(10_001)}}, InvalidInput, "policy.feeBps"),
    ({"policy": {"quote_age_seconds_max": 0}}, InvalidInput, "policy.quoteAgeSecondsMax"),
    ({"policy": {"quote_age_seconds_max": 86_401}}, InvalidInput, "policy.quoteAgeSecondsMax"),
    ({"policy": {"position_equity_pct_max": Decimal(0)}}, InvalidInput, "policy.positionEquityPctMax"),
    ({"policy": {"liquidation_pct": Decimal(100)}}, InvalidInput, "policy.liquidationPct"),
    ({"policy": {"slippage": "NONE"}}, InvalidInput, "policy.slippage"),
    ({"policy": {"symbols": ["EURUSD", "GBPUSD"]}}, InvalidInput, "policy.symbols"),
    ({"policy": {"long_allowed": False, "short_allowed": False}}, InvalidInput, "policy.longAllowed"),
    ({"policy": {"hedging": True}}, InvalidInput, "policy.hedging"),
]


async def test_a_bad_field_is_named_and_nothing_written(desk: None) -> None:
    before = await AccountGroup.all().order_by("id").values()
    for changes, kind, field in BAD:
        with pytest.raises(kind) as refusal:
            await a_group(**changes)
        assert refusal.value.field == field, changes
    assert await AccountGroup.all().order_by("id").values() == before


async def test_a_group_keeps_the_kind_that_programs_need(desk: None) -> None:
    await a_group(name="EXTRA", kind="REAL")
    await a_group(name="EXTRA", kind="DEMO")
    await programs.create_program(ADMIN, a_draft(), brand="acme")
    with pytest.raises(InvalidInput) as refusal:
        await a_group(name="DEMO", kind="REAL")
    assert refusal.value.field == "kind"
    assert (await AccountGroup.get(name="DEMO", brand="acme")).kind == "DEMO"
