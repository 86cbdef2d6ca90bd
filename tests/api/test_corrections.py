"""Voids and recomputations by a manager; a fill of another brand is answered like a missing one."""

from services import brands
from services.principals import Role
from tests.api.clients import Api
from tests.services.world import ADMIN, a_world, act

CORRECTED = """account { cash fees seq fills { nodes { id status } } orders { nodes { id status } } }
  correctionId differences { what stored computed } userErrors { code field message }"""
VOID_FILL = f"mutation ($input: VoidFillInput!) {{ voidFill(input: $input) {{ {CORRECTED} }} }}"
VOID_ORDER = f"mutation ($input: VoidOrderInput!) {{ voidOrder(input: $input) {{ {CORRECTED} }} }}"
RECOMPUTE = f"mutation ($input: RecomputeAccountInput!) {{ recomputeAccount(input: $input) {{ {CORRECTED} }} }}"


async def test_a_manager_voids_and_computes_again(api: Api) -> None:
    world = await a_world(api.database_url)
    _, account = await world.buy()
    manager = await api.token(Role.MANAGER, "acme")
    opened = await act(account, "OPEN", action_id="a1", quantity="10000")
    more = await act(account, "INCREASE", action_id="a2", quantity="5000")
    closed = await act(account, "CLOSE", action_id="a3")
    assert opened.fill and more.fill and closed.fill
    first, last = f"{account}-{opened.fill.seq}", f"{account}-{closed.fill.seq}"
    order = f"{account}-{more.fill.order_seq}"

    refused = (await api.ask(VOID_ORDER, manager, input={"orderIds": [order], "reason": "twice"}))["voidOrder"]
    [error] = refused["userErrors"]
    assert (error["code"], refused["account"], refused["correctionId"]) == ("LATER_FILLS_NEED_IT", None, None)
    assert last in error["message"]

    done = (await api.ask(VOID_FILL, manager, input={"fillIds": [last], "reason": "a bad tick"}))["voidFill"]
    assert (done["userErrors"], done["correctionId"]) == ([], f"{account}-{done['account']['seq']}")
    assert {fill["id"]: fill["status"] for fill in done["account"]["fills"]["nodes"]}[last] == "VOID"
    assert {"what": "cash", "stored": "99967", "computed": "99983.5"} in done["differences"]
    again = (await api.ask(VOID_FILL, manager, input={"fillIds": [last], "reason": "a bad tick"}))["voidFill"]
    assert [(e["code"], e["field"]) for e in again["userErrors"]] == [("INVALID_TRANSITION", "fillIds[0]")]

    asked = {"accountId": str(account), "apply": True, "reason": "to be sure"}
    sound = (await api.ask(RECOMPUTE, manager, input=asked))["recomputeAccount"]
    assert (sound["account"]["cash"], sound["correctionId"], sound["differences"]) == ("99983.5", None, [])

    await brands.save_brand(ADMIN, name="other", title="Other")
    stranger = await api.token(Role.MANAGER, "other")
    answers = [
        await api.answer(VOID_FILL, stranger, input={"fillIds": [name], "reason": "not mine"})
        for name in (first, first.replace(str(account), "999999"))
    ]
    told = [answer["errors"][0] for answer in answers]
    assert {error["extensions"]["code"] for error in told} == {"NOT_FOUND"}
    assert told[0]["message"].replace(str(account), "999999") == told[1]["message"]
