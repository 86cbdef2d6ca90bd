"""Access to accounts: the brand of the principal, and within it what its role or its token's scope allows."""

from dataclasses import dataclass

from services.principals import Principal, Role


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """The figures of an account that decide who may access it."""

    brand: str
    account_id: int
    challenge_id: int | None
    client: str | None
    owner: str | None
    clone: str | None


def can_access(principal: Principal, target: AccountAccess) -> bool:
    """Return whether the principal may see the account and, if its role trades, trade on it."""
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
    """Return whether the token's scope names the account. An empty scope covers the whole brand."""
    lists = {
        "owners": target.owner,
        "clones": target.clone,
        "challenges": target.challenge_id,
        "accounts": target.account_id,
    }
    named = [(principal.scope[name], value) for name, value in lists.items() if principal.scope.get(name)]
    return not named or any(str(value) in {str(item) for item in allowed} for allowed, value in named)
