"""Time zones: a program shows when its next trading days begin, and validation warns of doubtful zones."""

from datetime import UTC, datetime

from tests.api.clients import Api
from tests.services.world import a_world, another_process

DAYS = "nextTradingDays(first: %d) { name beginsAt beginsLocal hours }"
SHOWN = f"query ($id: ID!) {{ program(id: $id) {{ zone {DAYS % 4} }} availablePrograms {{ nodes {{ {DAYS % 2} }} }} }}"
VALIDATE = """query ($input: CreateProgramInput!) { validateProgram(input: $input) {
  problems { field message } warnings nextTradingDays { name beginsAt beginsLocal } } }"""


async def test_a_program_shows_its_next_days_in_utc_and_locally(api: Api) -> None:
    world = await a_world(api.database_url)
    async with another_process(api.database_url) as owner:
        await owner.execute("update programs set zone = 'America/New_York', day_start = '17:00'")
        await owner.execute("update batches set market_time = $1", datetime(2026, 3, 7, 12, tzinfo=UTC))
    alice = await api.token("CLIENT", "acme", "alice")
    shown = await api.ask(SHOWN, alice, id=str(world.program))
    assert shown["program"]["zone"] == "America/New_York"
    days = shown["program"]["nextTradingDays"]
    assert [(day["name"], day["beginsAt"], day["beginsLocal"], day["hours"]) for day in days[:2]] == [
        ("2026-03-08", "2026-03-07T22:00:00+00:00", "2026-03-07T17:00:00-05:00", "23"),
        ("2026-03-09", "2026-03-08T21:00:00+00:00", "2026-03-08T17:00:00-04:00", "24"),
    ]
    assert len(days) == 4
    assert shown["availablePrograms"]["nodes"][0]["nextTradingDays"] == days[:2]
    assert await api.code(f"{{ availablePrograms {{ nodes {{ {DAYS % 401} }} }} }}", alice) == "BAD_USER_INPUT"


async def test_validation_warns_of_etc_and_understands_offsets(api: Api) -> None:
    await a_world(api.database_url)
    mona = await api.token("MANAGER", "acme")
    step = {"phaseIndex": 1, "phaseType": "EVALUATION", "name": "One", "accountGroup": "demo"}
    draft = {"name": "P", "price": "1", "priceCurrency": "USD", "steps": [step]}

    async def found(zone: str) -> tuple[list[str], int, list[dict[str, str]]]:
        answer = (await api.ask(VALIDATE, mona, input=draft | {"zone": zone}))["validateProgram"]
        problems = [one for one in answer["problems"] if one["field"] == "zone"]
        return answer["warnings"], len(problems), answer["nextTradingDays"]

    warnings, problems, days = await found("Etc/GMT+3")
    assert (problems, len(days), days[0]["beginsLocal"][-6:]) == (0, 7, "-03:00")
    assert "Etc/GMT+3 is UTC-3" in warnings[0]
    warnings, problems, days = await found("GMT+3")
    assert (warnings, problems, days[0]["beginsLocal"][-6:]) == ([], 0, "+03:00")
    assert await found("Mars/Base") == ([], 1, [])
