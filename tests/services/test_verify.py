"""`verify` finds nothing wrong on a desk that has worked, and names every fault that is planted."""

from config.database import connection
from models.sql import Connection
from services.checks import verify
from services.checks.verify import Violation
from tests.services.corruptions import ALONE, AMONG_OTHERS, a_worked_desk, planted
from tests.services.world import value


async def test_the_books_of_a_desk_that_has_worked_hold(database: str) -> None:
    await a_worked_desk(database)
    told: list[tuple[str, int]] = []
    assert await verify.check_books(lambda doing, done: told.append((doing, done))) == []
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert (await verify.count_rows())["challenges"] == 7


async def test_the_books_of_a_desk_that_has_done_nothing_hold(database: str) -> None:
    assert await verify.check_books() == []


async def test_whatever_is_planted_is_found_and_named(database: str) -> None:
    world = await a_worked_desk(database)
    missed = []
    async with connection(database) as owner:
        await owner.execute("set session_replication_role = replica")
        for check, statements, alone in planted():
            found = await _planted(owner, statements)
            names = {violation.check for violation in found}
            if check not in names or (alone and names != {check}):
                missed.append((check, statements, found))
        told = await _planted(owner, "update wallets set cash = cash + 1")
    assert not missed, missed[0]
    cash = await value("select trim_scale(cash) from wallets where id = $1", world.wallet)
    wallet = f"holds {cash + 1}, its transfers sum to {cash}"
    assert Violation("wallets sum their transfers", f"wallet {world.wallet}", wallet) in told
    assert await verify.check_books() == [], "every corruption was taken back"


async def _planted(owner: Connection, statements: str) -> list[Violation]:
    """What is found once an owner who switched the triggers off has done this; then it is taken back."""
    transaction = owner.transaction(isolation="repeatable_read")
    await transaction.start()
    try:
        await owner.execute(statements)
        return await verify.check_within(owner)
    finally:
        await transaction.rollback()


def test_every_check_is_put_to_the_test() -> None:
    checks = {check.__name__.replace("_", " ") for check in (*verify.OF_SETS, *verify.OF_ACCOUNTS)}
    assert ALONE.keys() | AMONG_OTHERS.keys() == checks | {"breaches can be derived", "audits are intact"}
    assert len(ALONE) > 35
