"""The API put together: `schema` is what is served, and what `propdesk export-schema` writes."""

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
    description="Everything that can be read. A refused root field is null, with its error in `errors`; the "
    "others are answered. A document that selects, below a root field, what its token's role may not read is refused "
    "whole."
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
    description="Everything that can be done. Fields are done one after the other; a refused one is null, with its "
    "error in `errors`, and the next ones are done and answered. While the database is away the error is UNAVAILABLE "
    "with `retryAfter` in seconds; where its `inDoubt` is true the field may have been done: send it again with the "
    "same idempotencyKey, or read first where there is none."
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


@strawberry.type(description="Everything that can be followed.")
class Subscription(EventSubscription): ...


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=[OperationObserver, ErrorMasking, DocumentChecks],
    execution_context_class=Executor,
    config=StrawberryConfig(scalar_map=SCALARS | QUOTE_SCALARS | LENIENT_SCALARS),
)
