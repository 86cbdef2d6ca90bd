"""A purchase paid by card over HTTP: the client orders, and only the provider's hook confirms."""

from tests.api.clients import Api
from tests.services.world import a_world, settle

BUY = """mutation ($input: BuyChallengeInput!) { buyChallenge(input: $input) {
  purchase { id status payment paymentReference expiresAt wallet { id } paidFrom } challenge { id }
  userErrors { code field } } }"""
CONFIRM = """mutation ($input: ConfirmPaymentInput!) { confirmPayment(input: $input) {
  purchase { id challengeId } userErrors { code field message transient } } }"""
PURCHASE = (
    "query ($id: ID!) { purchase(id: $id) { status paidFrom payment challenges { id status } account { status } } }"
)


async def test_a_providers_hook_confirms_a_payment_and_can_do_nothing_else(api: Api) -> None:
    world = await a_world(api.database_url)
    alice, hook = await api.token("CLIENT", "acme", "alice"), await api.token("PAYMENTS", "acme")
    order = {"programId": str(world.program), "payment": "EXTERNAL", "idempotencyKey": "k1"}
    bought = (await api.ask(BUY, alice, input=order))["buyChallenge"]
    purchase = bought["purchase"]
    assert (purchase["status"], purchase["payment"], purchase["wallet"]) == ("PENDING", "EXTERNAL", None)
    assert purchase["expiresAt"] and bought["challenge"] is None and not bought["userErrors"]

    payment = {
        "reference": purchase["paymentReference"], "amount": "500.00", "currency": "USD", "idempotencyKey": "evt_1",
    }  # fmt: skip
    short = (await api.ask(CONFIRM, hook, input=payment | {"amount": "499.99"}))["confirmPayment"]
    assert [(error["code"], error["field"]) for error in short["userErrors"]] == [("PAYMENT_MISMATCH", "amount")]
    assert await api.code(CONFIRM, alice, input=payment) == "FORBIDDEN"
    paid = [(await api.ask(CONFIRM, hook, input=payment))["confirmPayment"] for _ in range(2)]
    assert paid[0] == paid[1] and paid[0]["purchase"]["id"] == purchase["id"]
    assert await api.code(PURCHASE, hook, id=purchase["id"]) == "FORBIDDEN"

    await settle()
    card = (await api.ask(PURCHASE, alice, id=purchase["id"]))["purchase"]
    assert card == {
        "status": "ACTIVE", "paidFrom": "OUTSIDE", "payment": "EXTERNAL", "account": {"status": "ACTIVE"},
        "challenges": [{"id": paid[0]["purchase"]["challengeId"], "status": "ACTIVE"}],
    }  # fmt: skip
