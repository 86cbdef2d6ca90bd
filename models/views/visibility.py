"""Visibility: the only place where the limits of a principal become SQL conditions.

A row of another brand is treated exactly like a row that does not exist.
"""

from dataclasses import dataclass
from typing import Any

from models.events import DESK


@dataclass(frozen=True, slots=True)
class Visibility:
    """The limits of a principal; None is no limit. A row is in the scope if one of its four lists names it.

    `scope`: owners, clones, challenges, accounts. `trades`: a trader, who sees nothing about sales: no programs,
    purchases, wallets or payouts, and no events about them.
    """

    brand: str | None = None
    client: str | None = None
    scope: tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], tuple[int, ...]] | None = None
    trades: bool = False


NOTHING_VISIBLE = Visibility(brand="")  # no brand has this name


class Where:
    """SQL conditions from constant texts. Values are sent as parameters only: each `{}` becomes the next $n.

    An integer is sent as bigint whatever the type of the column, because a client may send one that is out of the
    range of the column; no row matches it.
    """

    def __init__(self, *values: Any) -> None:
        self.clauses: list[str] = []
        self.values: list[Any] = list(values)

    def add(self, clause: str, *values: Any) -> None:
        self.clauses.append(self.put(clause, *values))

    def put(self, text: str, *values: Any, **named: Any) -> str:
        """Return the text with a parameter for each value. The text need not use every named value."""
        used = {name: value for name, value in named.items() if f"{{{name}}}" in text}
        numbers = range(len(self.values) + 1, len(self.values) + len(values) + len(used) + 1)
        self.values += [*values, *used.values()]
        parameters = [_parameter(n, value) for n, value in zip(numbers, [*values, *used.values()], strict=True)]
        return text.format(*parameters[: len(values)], **dict(zip(used, parameters[len(values) :], strict=True)))

    def sharing_parameters(self) -> "Where":
        """Return new conditions that share the parameters, for the same statement."""
        other = Where()
        other.values = self.values
        return other

    @property
    def text(self) -> str:
        return f" where {' and '.join(self.clauses)}" if self.clauses else ""


def _parameter(number: int, value: Any) -> str:
    return f"${number}::bigint" if type(value) is int else f"${number}"


def of_desk(where: Where, visibility: Visibility) -> None:
    """Add no condition: instruments and quotes belong to no brand."""


def of_brand(where: Where, visibility: Visibility) -> None:
    """Restrict rows `t` with a brand: groups, jobs, tokens."""
    if visibility.brand is not None:
        where.add("t.brand = {}", visibility.brand)


def _of_sales(where: Where, visibility: Visibility) -> None:
    """Restrict rows `t` with a brand that are about sales."""
    of_brand(where, visibility)
    if visibility.trades:
        where.add("false")


def of_program(where: Where, visibility: Visibility) -> None:
    """Restrict programs `t`: a client sees the active ones and those it has bought."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add(
            """(t.status = 0
            or exists (select from challenges c where c.brand = t.brand and c.client = {0} and c.program_id = t.id)
            or exists (select from purchases s where s.brand = t.brand and s.client = {0} and s.program_id = t.id))""",
            visibility.client,
        )


def of_client(where: Where, visibility: Visibility) -> None:
    """Restrict rows `t` with a brand and a client: wallets, purchases."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add("t.client = {}", visibility.client)


def of_wallet(where: Where, visibility: Visibility) -> None:
    """Restrict transfers `t`: a client sees those of its own wallets."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add("exists (select from wallets w where w.id = t.wallet_id and w.client = {})", visibility.client)


def of_payout(where: Where, visibility: Visibility) -> None:
    """Restrict payouts `t` to the wallet `w`."""
    _of_sales(where, visibility)
    if visibility.client is not None:
        where.add("w.client = {}", visibility.client)


def of_challenge(where: Where, visibility: Visibility) -> None:
    """Restrict rows of the challenge `c`: itself, its phases, metrics, breaches."""
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
"""The beginnings of the names of events about sales."""


def of_event(where: Where, visibility: Visibility) -> None:
    """Restrict events `t`. They have brand, client and challenge themselves, because they outlive the challenge.

    Events of the desk belong to no brand and are not visible, even without a limit.
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
    """Restrict rows of the account `a`: itself and its objects. The owner of a challenge's account is the client."""
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
