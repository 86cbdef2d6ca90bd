"""Saves over the API: a missing field stays, null sets the default, and the result lists the changes."""

from typing import Any

from tests.api.clients import Api
from tests.services.world import a_world, value

CHANGED = "changes { field before after } userErrors { code field }"
SAVES = {
    "saveBrand": "SaveBrandInput",
    "saveInstrument": "SaveInstrumentInput",
    "saveCurrency": "SaveCurrencyInput",
    "saveAccountGroup": "SaveAccountGroupInput",
    "updateProgram": "UpdateProgramInput",
    "updatePurchase": "UpdatePurchaseInput",
}


async def _save(api: Api, token: str, name: str, /, **given: Any) -> list[tuple[str, str | None, str | None]] | str:
    """Return the changes, or the code of the refusal."""
    text = f"mutation ($input: {SAVES[name]}!) {{ {name}(input: $input) {{ {CHANGED} }} }}"
    payload = (await api.ask(text, token, input=given))[name]
    if payload["userErrors"]:
        return str(payload["userErrors"][0]["code"])
    return [(change["field"], change["before"], change["after"]) for change in payload["changes"]]


async def test_every_save_changes_what_was_sent_and_says_so(api: Api) -> None:
    world = await a_world(api.database_url)
    challenge, _ = await world.buy()
    purchase = await value("select purchase_id from challenges where id = $1", challenge)
    admin, manager = await api.token("ADMIN"), await api.token("MANAGER", "acme")

    assert await _save(api, admin, "saveBrand", name="acme") == []
    assert await _save(api, admin, "saveBrand", name="acme", title="Acme") == [("title", "Acme Prop", "Acme")]
    assert await _save(api, admin, "saveBrand", name="acme", title="A", expectedVersion=1) == "VERSION_CONFLICT"
    assert await _save(api, admin, "saveBrand", name="acme", title=None) == "INVALID_INPUT"

    changed = await _save(api, admin, "saveInstrument", symbol="EURUSD", aliases=["EUR/USD"], expectedVersion=1)
    assert changed == [("aliases", "", "EUR/USD")]
    assert await _save(api, admin, "saveInstrument", symbol="EURUSD", contractSize="100000") == [
        ("contractSize", "1", "100000")
    ]
    assert await _save(api, admin, "saveInstrument", symbol="EURUSD", aliases=None) == [("aliases", "EUR/USD", "")]

    assert await _save(api, admin, "saveCurrency", code="JPY", minorUnits=2) == [("minorUnits", "0", "2")]
    assert await _save(api, admin, "saveCurrency", code="USD", minorUnits=0) == "IN_USE"

    given = {"name": "DEMO", "policy": {"feeBps": "1"}, "expectedVersion": 1}
    assert await _save(api, manager, "saveAccountGroup", **given) == [("policy.feeBps", "10", "1")]
    assert await value("select policy ->> 'leverage_max' from account_groups where name = 'DEMO'") == "50"
    assert await _save(api, manager, "saveAccountGroup", **given) == "VERSION_CONFLICT"

    given = {"id": str(world.program), "expectedVersion": 2}
    assert await _save(api, manager, "updateProgram", **given, description="Old") == [
        ("description", "", "Old"),
        ("version", "2", "3"),
    ]
    given["expectedVersion"] = 3
    assert await _save(api, manager, "updateProgram", **given, name=None) == "INVALID_INPUT"
    assert await _save(api, manager, "updateProgram", **given, steps=None) == "INVALID_INPUT"
    assert await _save(api, manager, "updateProgram", **given, description=None) == [
        ("description", "Old", ""),
        ("version", "3", "4"),
    ]

    assert await _save(api, manager, "updatePurchase", id=str(purchase), comment="paid twice", tags=["vip"]) == [
        ("comment", None, "paid twice"),
        ("tags", "", "vip"),
    ]
    assert await _save(api, manager, "updatePurchase", id=str(purchase), comment=None) == [
        ("comment", "paid twice", None)
    ]
