"""The whole API: `schema` is served, and written by `propdesk export-schema`."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.accounts import AccountMutation, AccountQuery
from resolvers.actions import ActionMutation, ActionQuery
from resolvers.admin import AdminMutation
from resolvers.audits import AuditQuery
from resolvers.brands import BrandMutation
from resolvers.challenges import ChallengeMutation, ChallengeQuery
from resolvers.corrections import CorrectionMutation
from resolvers.currencies import CurrencyMutation, CurrencyQuery
from resolvers.events import EventSubscription
from resolvers.groups import GroupMutation, GroupQuery
from resolvers.instruments import InstrumentMutation, InstrumentQuery
from resolvers.jobs import JobMutation, JobQuery
from resolvers.payouts import PayoutMutation, PayoutQuery
from resolvers.programs import ProgramMutation, ProgramQuery
from resolvers.purchases import PurchaseMutation, PurchaseQuery
from resolvers.quotes import QuoteMutation, QuoteQuery
from resolvers.reinstatements import ReinstatementMutation, ReinstatementQuery
from resolvers.system import SystemQuery
from resolvers.tokens import TokenMutation, TokenQuery
from resolvers.voids import VoidMutation, VoidQuery
from resolvers.wallets import WalletMutation, WalletQuery
from schema.engine.document_checks import DocumentChecks
from schema.engine.error_masking import ErrorMasking
from schema.engine.executor import Executor
from schema.engine.item_errors import LENIENT_SCALARS
from schema.engine.operation_cache import Schema
from schema.engine.operation_telemetry import OperationObserver
from schema.engine.scalars import SCALARS
from schema.quotelist import QUOTE_SCALARS


@strawberry.type(
    description="All read operations. If a root field fails, it is null, its error is in `errors`, and the other "
    "fields are returned. A document that selects a field that the token's role may not read below a root field is "
    "refused as a whole."
)
class Query(
    SystemQuery,
    ProgramQuery,
    ChallengeQuery,
    PurchaseQuery,
    AccountQuery,
    ActionQuery,
    WalletQuery,
    PayoutQuery,
    GroupQuery,
    CurrencyQuery,
    InstrumentQuery,
    QuoteQuery,
    VoidQuery,
    ReinstatementQuery,
    TokenQuery,
    JobQuery,
    AuditQuery,
): ...


@strawberry.type(
    description="All write operations. Fields run one after the other. If one fails, it is null, its error is in "
    "`errors`, and the next fields still run. While the database is unavailable the error is UNAVAILABLE with "
    "`retryAfter` in seconds. If its `inDoubt` is true the change may have been made: send the field again with the "
    "same `idempotencyKey` or, if it has none, read the object first."
)
class Mutation(
    BrandMutation,
    CurrencyMutation,
    InstrumentMutation,
    GroupMutation,
    ProgramMutation,
    WalletMutation,
    PayoutMutation,
    PurchaseMutation,
    ChallengeMutation,
    ActionMutation,
    QuoteMutation,
    VoidMutation,
    AccountMutation,
    AdminMutation,
    CorrectionMutation,
    ReinstatementMutation,
    TokenMutation,
    JobMutation,
): ...


@strawberry.type(description="All subscriptions.")
class Subscription(EventSubscription): ...


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=[OperationObserver, ErrorMasking, DocumentChecks],
    execution_context_class=Executor,
    config=StrawberryConfig(scalar_map=SCALARS | QUOTE_SCALARS | LENIENT_SCALARS),
)
