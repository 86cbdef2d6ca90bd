"""Who may see what: the one place where a principal's bounds become conditions.

Another brand's row fails them exactly like a row that is not there.
"""

from dataclasses import dataclass
from typing import Any

from models.events import DESK


@dataclass(frozen=True, slots=True)
class Visibility:
    """None is no bound. The four scopes bound together: what any of them names is seen.

    `trades`: of sales nothing is seen, neither programs nor purchases, wallets, payouts, and events about them.
    """

    brand: str | None = None
    client: str | None = None
    scope: tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], tuple[int, ...]] | None = None
    trades: bool = False


NOTHING_VISIBLE = Visibility(brand="")  # no brand has this name


class Where:
    """Conditions put together from constant texts; values travel as parameters only, each `{}` becomes the next $n.

    A whole number travels as a bigint, whatever the column it is compared with: a client may send one that the column
    does not hold, and no row has it.
    """

    def __init__(self, *values: Any) -> None:
        self.clauses: list[str] = []
        self.values: list[Any] = list(values)

    def add(self, clause: str, *values: Any) -> None:
        self.clauses.append(self.put(clause, *values))

    def put(self, text: str, *values: Any, **named: Any) -> str:
        """Return the text with a parameter in the place of each value; of the named ones it may use some."""
        used = {name: value for name, value in named.items() if f"{{{name}}}" in text}
        numbers = range(len(self.values) + 1, len(self.values) + len(values) + len(used) + 1)
        self.values += [*values, *used.values()]
        parameters = [_parameter(n, value) for n, value in zip(numbers, [*values, *used.values()], strict=True)]
        return text.format(*parameters[: len(values)], **dict(zip(used, parameters[len(values) :], strict=True)))

    def beside(self) -> "Where":
        """Return other conditions of the same statement, which has one list of parameters."""
        other = Where()
        other.values = self.values
        return other

    @property
    def text(self) -> str:
        return f" where {' and '.join(self.clauses)}" if self.clauses else ""


def _parameter(number: int, value: Any) -> str:
    return f"${number}::bigint" if type(value) is int else f"${number}"


def of_desk(where: Where, visibility: Visibility) -> None:
    """Instruments and quotes belong to nobody's brand."""


def of_brand(where: Where, visibility: Visibility) -> None:
    """Rows of alias `t` with a brand: groups, jobs, tokens."""
    if visibility.brand is not None:
        where.add("t.brand = {}", visibility.brand)


def _of_sales(where: Where, visibility: Visibility) -> None:
    """Rows with a brand that are about sales and their money."""
    of_brand(where, visibility)
    if visibility.trades:
        where.add("false")


def of_program(where: Where, visibility: Visibility) -> None:
    """Programs: a client sees those on sale, and those it has bought, whatever has become of them."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add(
            """(t.status = 0
            or exists (select from challenges c where c.brand = t.brand and c.client = {0} and c.program_id = t.id)
            or exists (select from purchases s where s.brand = t.brand and s.client = {0} and s.program_id = t.id))""",
            visibility.client,
        )


def of_client(where: Where, visibility: Visibility) -> None:
    """Rows with a brand and a client: wallets, purchases."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add("t.client = {}", visibility.client)


def of_wallet(where: Where, visibility: Visibility) -> None:
    """Transfers: a client sees the rows of its own wallets."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add("exists (select from wallets w where w.id = t.wallet_id and w.client = {})", visibility.client)


def of_payout(where: Where, visibility: Visibility) -> None:
    """Payouts go to the wallet `w`."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add("w.client = {}", visibility.client)


def of_challenge(where: Where, visibility: Visibility) -> None:
    """Rows of the challenge `c`: itself, its phases, metrics, breaches."""
    if visibility.brand is not None:
        where.add("c.brand = {}", visibility.brand)
    if visibility.client is not None:
        where.add("c.client = {}", visibility.client)
    if visibility.scope is not None:
        owners, clones, challenges, accounts = visibility.scope
        where.add(
            """(c.id = any({}::bigint[]) or c.client = any({}::text[]) or exists (select from accounts s
            where s.challenge_id = c.id and (s.id = any({}::bigint[]) or s.clone = any({}::text[]))))""",
            challenges,
            owners,
            accounts,
            clones,
        )


OF_SALES = ("prop.purchase.", "prop.payout.")
"""How the names of events begin that are about sales and their money."""


def of_event(where: Where, visibility: Visibility) -> None:
    """Events `t` carry brand, client and challenge themselves, because they outlive the challenge.

    Those of the desk are of no brand: no bound does not include them.
    """
    if visibility.brand is None:
        where.add("t.brand <> {}", DESK)
    of_brand(where, visibility)
    if visibility.client is not None:
        where.add("t.client = {}", visibility.client)
    if visibility.trades:
        where.add("not (t.name ^@ any({}::text[]))", list(OF_SALES))
    if visibility.scope is not None:
        owners, clones, challenges, accounts = visibility.scope
        where.add(
            """(t.challenge_id = any({}::bigint[]) or t.client = any({}::text[]) or exists (select from accounts s
            where s.challenge_id = t.challenge_id and (s.id = any({}::bigint[]) or s.clone = any({}::text[]))))""",
            challenges,
            owners,
            accounts,
            clones,
        )


def of_account(where: Where, visibility: Visibility) -> None:
    """Rows of the account `a`: itself and all it made. An account of a challenge is owned by the client."""
    if visibility.brand is not None:
        where.add("a.brand = {}", visibility.brand)
    if visibility.client is not None:
        where.add("a.owner = {}", visibility.client)
    if visibility.scope is not None:
        owners, clones, challenges, accounts = visibility.scope
        where.add(
            """(a.id = any({}::bigint[]) or a.challenge_id = any({}::bigint[])
            or a.owner = any({}::text[]) or a.clone = any({}::text[]))""",
            accounts,
            challenges,
            owners,
            clones,
        )
