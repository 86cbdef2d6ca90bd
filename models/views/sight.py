"""Who may see what: the one place where a principal's bounds become conditions.

Another brand's row fails them exactly like a row that is not there.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sight:
    """None is no bound. The four scopes bound together: what any of them names is seen."""

    brand: str | None = None
    client: str | None = None
    scope: tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], tuple[int, ...]] | None = None


NOTHING = Sight(brand="")  # no brand has this name


class Where:
    """Conditions put together from constant texts; values travel as parameters only, each `{}` becomes the next $n.

    A whole number travels as a bigint, whatever the column it is compared with: a client may send one that the column
    does not hold, and no row has it.
    """

    def __init__(self, *values: Any) -> None:
        self.clauses: list[str] = []
        self.values: list[Any] = list(values)

    def add(self, clause: str, *values: Any) -> None:
        first = len(self.values) + 1
        self.clauses.append(clause.format(*(_parameter(n, value) for n, value in enumerate(values, first))))
        self.values.extend(values)

    @property
    def text(self) -> str:
        return f" where {' and '.join(self.clauses)}" if self.clauses else ""


def _parameter(number: int, value: Any) -> str:
    return f"${number}::bigint" if type(value) is int else f"${number}"


def of_desk(where: Where, sight: Sight) -> None:
    """Instruments and quotes belong to nobody's brand."""


def of_brand(where: Where, sight: Sight) -> None:
    """Rows of alias `t` with a brand: programs, groups, jobs, tokens."""
    if sight.brand is not None:
        where.add("t.brand = {}", sight.brand)


def of_client(where: Where, sight: Sight) -> None:
    """Rows with a brand and a client: wallets. A token narrowed to a scope sees none."""
    of_brand(where, sight)
    if sight.client is not None:
        where.add("t.client = {}", sight.client)
    if sight.scope is not None:
        where.add("false")


def of_wallet(where: Where, sight: Sight) -> None:
    """Transfers: a client sees the rows of its own wallets."""
    of_brand(where, sight)
    if sight.client is not None:
        where.add("exists (select from wallets w where w.id = t.wallet_id and w.client = {})", sight.client)
    if sight.scope is not None:
        where.add("false")


def of_payout(where: Where, sight: Sight) -> None:
    """Payouts go to the wallet `w`; they outlive their challenge `c`."""
    of_brand(where, sight)
    if sight.client is not None:
        where.add("w.client = {}", sight.client)
    _scope(where, sight)


_CHALLENGE = """(c.id = any({}::bigint[]) or c.client = any({}::text[]) or exists (
  select from accounts s where s.challenge_id = c.id and (s.id = any({}::bigint[]) or s.clone = any({}::text[]))))"""


def _scope(where: Where, sight: Sight) -> None:
    if sight.scope is not None:
        owners, clones, challenges, accounts = sight.scope
        where.add(_CHALLENGE, challenges, owners, accounts, clones)


def of_challenge(where: Where, sight: Sight) -> None:
    """Rows of the challenge `c`: itself, its phases, metrics, breaches, events."""
    if sight.brand is not None:
        where.add("c.brand = {}", sight.brand)
    if sight.client is not None:
        where.add("c.client = {}", sight.client)
    _scope(where, sight)


def of_event(where: Where, sight: Sight) -> None:
    """Events `t` carry brand, client and challenge themselves, because they outlive the challenge."""
    of_brand(where, sight)
    if sight.client is not None:
        where.add("t.client = {}", sight.client)
    if sight.scope is not None:
        owners, clones, challenges, accounts = sight.scope
        where.add(
            """(t.challenge_id = any({}::bigint[]) or t.client = any({}::text[]) or exists (select from accounts s
            where s.challenge_id = t.challenge_id and (s.id = any({}::bigint[]) or s.clone = any({}::text[]))))""",
            challenges,
            owners,
            accounts,
            clones,
        )


def of_purchase(where: Where, sight: Sight) -> None:
    """Purchases: a client's own; in a scope, those of a challenge in it."""
    of_brand(where, sight)
    if sight.client is not None:
        where.add("t.client = {}", sight.client)
    if sight.scope is not None:
        owners, clones, challenges, accounts = sight.scope
        of_scope = f"exists (select from challenges c where c.purchase_id = t.id and {_CHALLENGE})"
        where.add(of_scope, challenges, owners, accounts, clones)


def of_account(where: Where, sight: Sight) -> None:
    """Rows of the account `a` (its challenge, if any, is `c`): itself and all it made."""
    if sight.brand is not None:
        where.add("a.brand = {}", sight.brand)
    if sight.client is not None:
        where.add("coalesce(c.client, a.owner) = {}", sight.client)
    if sight.scope is not None:
        owners, clones, challenges, accounts = sight.scope
        where.add(
            """(a.id = any({}::bigint[]) or a.challenge_id = any({}::bigint[])
            or coalesce(c.client, a.owner) = any({}::text[]) or a.clone = any({}::text[]))""",
            accounts,
            challenges,
            owners,
            clones,
        )
