"""An account under its row lock."""

from dataclasses import dataclass

from domain.accounts import Account
from domain.verdicts import Conditions
from models.loaded import LoadedAccount


@dataclass(slots=True)
class LockedAccount:
    """An account under lock: as it is stored, and as it is after the changes of this transaction."""

    stored: LoadedAccount
    account: Account
    conditions: Conditions
