"""Which roles may read each type of the schema, and which fields fewer roles may read.

A root field declares the roles that may call it (`schema/engine/permissions.py`), which covers its payload. This table
decides about every object below the roots, whichever way leads to it; `schema/engine/read_permissions.py` checks each
document against it. Nobody may read a type that is not in the table. `models/views/visibility.py` decides which objects
of a type a token sees.
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
"""Fields of filters that find by what not everybody who may ask may read, by their names here."""
_NARROWED = frozenset(name for name, _ in FILTERS)


def readers_of_field(kind: str, field: str) -> Roles:
    """Return the roles that may read a field of a type, if they may read the type that it leads to."""
    return FIELDS.get((kind, field)) or readers_of_type(kind)


def readers_of_type(kind: str) -> Roles:
    """Return the roles that may read a type. A page and its edges are read by whoever may read their items."""
    if kind.endswith("Payload"):
        return EVERYONE  # whom its mutation lets through
    for end in ("Connection", "Edge"):
        kind = kind.removesuffix(end)
    return TYPES.get(kind, NOBODY)


def check_filters(role: Role, arguments: Iterable[Any]) -> None:
    """Raises NotAllowed for an argument that finds by what the role may not read."""
    for given in arguments:
        kind = type(given).__name__
        if kind not in _NARROWED:
            continue
        for (of, name), roles in FILTERS.items():
            if of == kind and role not in roles and getattr(given, name) is not None:
                raise NotAllowed(f"A token of role {role} may not filter by {kind}.{name}.")
