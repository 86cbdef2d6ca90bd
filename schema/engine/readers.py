"""The roles that may read each type of the schema, and the fields that fewer roles may read.

A root field declares the roles that may call it (`schema/engine/permissions.py`); that covers its payload. This table
covers all types below the root fields, and `schema/engine/read_permissions.py` checks each document against it. No role
may read a type that is not in the table. `models/views/visibility.py` decides which objects of a type a token sees.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from schema.engine.errors import NotAllowed
from services.principals import Role

Roles = frozenset[Role]

EVERYONE = frozenset(Role)
ADMIN = frozenset({Role.ADMIN})
STAFF = ADMIN | {Role.MANAGER}
BUYERS = STAFF | {Role.CLIENT}
TRADERS = BUYERS | {Role.TRADER}
NOBODY: Roles = frozenset()

_TYPES: Mapping[Roles, str] = {
    EVERYONE: "Me PageInfo Quote Sizes TokenScope UserError",
    TRADERS: """Account AccountResult AccountSnapshot ActionFill ActionPermission ActionQuote Breach Challenge
      ChallengeCounters ChallengeDay ChallengeEvent ChallengePhase ChallengeTick Currency DecisionActionResult
      DecisionContext Difference EvidenceMark ExecutionPolicy Exposure Fill GateRefusal GateRoom GroupTerms
      Instrument LargestOrder LedgerEvent LimitTerms Metric OpenPosition Order PastQuote PhaseTerms Position
      PositionsTerms Reinstatement RuleProgress Terms TradableInstrument TradingDay""",
    BUYERS: """Payout PayoutCriterion PayoutEligibility PayoutTerms Program ProgramStep Purchase TradingDayStart
      Transfer Wallet""",
    STAFF: """AccountGroup ApiToken AuditEvent BulkReinstatement BulkResult DeletedRows FieldChange HouseAccount Job
      ProgramPreset ProgramValidation QuarantinedAccount QuoteGuard QuoteVoid""",
    ADMIN: "Brand DroppedQuotes Forgotten Heartbeat Load Shard SuspectQuote System",
    ADMIN | {Role.FEED}: "DroppedQuote SuspectQuotes",
    STAFF | {Role.FEED}: "FeedEvent QuotedPrice",
    STAFF | {Role.PAYMENTS}: "ConfirmedPurchase",
}
TYPES: Mapping[str, Roles] = {name: roles for roles, names in _TYPES.items() for name in names.split()}
FIELDS: Mapping[tuple[str, str], Roles] = {
    ("Purchase", "comment"): STAFF,
    ("Purchase", "externalReference"): STAFF,
    ("Purchase", "internalFailureReason"): STAFF,
    ("Purchase", "tags"): STAFF,
    ("Reinstatement", "actor"): STAFF,
    ("Challenge", "programChanged"): BUYERS,
    ("Terms", "price"): BUYERS,
    ("Terms", "priceCurrency"): BUYERS,
    ("Terms", "profitSplit"): BUYERS,
    ("PhaseTerms", "profitSplit"): BUYERS,
}
FILTERS: Mapping[tuple[str, str], Roles] = {
    ("PurchaseFilter", "tag"): STAFF,
    ("ChallengeFilter", "program_id"): BUYERS,
    ("ChallengeFilter", "purchase_id"): BUYERS,
}
"""Fields of filters, by their Python names, that fewer roles may use: those that may read the filtered data."""
_NARROWED = frozenset(name for name, _ in FILTERS)


def readers_of_field(kind: str, field: str) -> Roles:
    """Return the roles that may read a field of a type, provided they may read the type of its value."""
    return FIELDS.get((kind, field)) or readers_of_type(kind)


def readers_of_type(kind: str) -> Roles:
    """Return the roles that may read a type. Roles that may read an item may read its page and edges."""
    if kind.endswith("Payload"):
        return EVERYONE  # the mutation checks the role
    for end in ("Connection", "Edge"):
        kind = kind.removesuffix(end)
    return TYPES.get(kind, NOBODY)


def check_filters(role: Role, arguments: Iterable[Any]) -> None:
    """Raise NotAllowed for an argument that filters by data that the role may not read."""
    for argument in arguments:
        kind = type(argument).__name__
        if kind not in _NARROWED:
            continue
        for (of, name), roles in FILTERS.items():
            if of == kind and role not in roles and getattr(argument, name) is not None:
                raise NotAllowed(f"A token of role {role} may not filter by {kind}.{name}.")
