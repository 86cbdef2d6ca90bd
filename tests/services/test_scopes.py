"""A token's scope follows what happens to the account that it names."""

from services import tokens
from tests.services.bad_prints import a_victim, reinstate, void
from tests.services.world import MANAGER, value


async def test_a_token_that_names_an_account_reaches_the_run_that_goes_on_in_its_place(database: str) -> None:
    _, challenge, account, span, _ = await a_victim(database)
    named = {"accounts": [str(account)]}
    bot = await tokens.create_for(MANAGER, role="TRADER", brand="acme", name="bot", scope=named)
    elsewhere = {"accounts": ["999999"], "clones": [str(account)]}
    other = await tokens.create_for(MANAGER, role="TRADER", brand="acme", name="other", scope=elsewhere)
    await void(span)
    await reinstate(challenge)
    on = await value("select account_id from challenges where id = $1", challenge)
    assert on != account
    told = [await tokens.authenticate(one.text) for one in (bot, other)]
    assert [one and one.scope for one in told] == [{"accounts": [str(account), str(on)]}, elsewhere]
