"""The conditions of a loaded account: what the fold needs besides the account and the quotes."""

from datetime import timedelta

from config.settings import settings
from domain.instruments import Catalogue
from domain.verdicts import Conditions
from models.loaded import LoadedAccount


def conditions_of(loaded: LoadedAccount, catalogue: Catalogue) -> Conditions:
    """Return what the fold needs besides the account and the quotes."""
    interval = timedelta(minutes=settings().mark_ledger_minutes)
    terms = loaded.terms.phase(loaded.phase_index) if loaded.terms and loaded.phase_index else None
    return Conditions(catalogue, interval, loaded.calendar, terms, settings().stored_refusals_day_max)
