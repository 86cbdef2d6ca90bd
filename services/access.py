"""What a principal reaches: its brand, and within it what its role or its token's scope allows."""

from dataclasses import dataclass

from services.principals import Principal, Role


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """An account, as far as access to it goes."""

    brand: str
    account_id: int
    challenge_id: int | None
    client: str | None
    owner: str | None
    clone: str | None


def can_access(principal: Principal, target: AccountAccess) -> bool:
    """May the principal see the account, and, if its role trades at all, trade on it?"""
    if not principal.sees(target.brand):
        return False
    match principal.role:
        case Role.ADMIN | Role.MANAGER:
            return True
        case Role.CLIENT:
            return principal.subject in (target.client, target.owner)
        case Role.TRADER:
            return _in_scope(principal, target)
        case Role.FEED | Role.PAYMENTS:
            return False


def _in_scope(principal: Principal, target: AccountAccess) -> bool:
    """A scope without entries is the whole brand; a challenge's later accounts are in it."""
    lists = {
        "owners": target.owner,
        "clones": target.clone,
        "challenges": target.challenge_id,
        "accounts": target.account_id,
    }
    named = [(principal.scope[name], value) for name, value in lists.items() if principal.scope.get(name)]
    return not named or any(str(value) in {str(item) for item in allowed} for allowed, value in named)
