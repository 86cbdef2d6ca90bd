"""Settings that limit the cost of one request and of one client."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from config.setting_groups import Group, ProcessorShare, RequestRate, Shown


class RequestLimits(Group):
    """Limits of connections and requests"""

    connections_max: int = Field(default=10_000, ge=10)
    """The most open connections of one API process, at most 80 % of its limit of open files"""
    strangers_address_max: Annotated[int, Shown("connections")] = Field(default=1_000, ge=1)
    """The most connections of one address without a valid token"""
    sockets_bearer_max: Annotated[int, Shown("websockets")] = Field(default=6_000, ge=1)
    """The most websockets of one token in one process"""
    head_seconds_max: float = Field(default=10, gt=0)
    """Time limit for receiving a request's line and headers"""
    client_silence_seconds_max: int = Field(default=30, ge=2, le=3_600)
    """Time after which the connections and websockets of a silent client are closed as lost"""
    body_bytes_max: int = Field(default=1 << 20, ge=1 << 10)
    """The largest request body; a proxy in front must allow as much"""
    body_seconds_max: float = Field(default=30, gt=0)
    """Time limit for receiving a request's body"""
    body_values_max: int = Field(default=50_000, ge=10_000)
    """The most commas, lists and objects in the JSON of a body or a websocket message"""
    rate_admin: RequestRate = Field(default=200, gt=0)
    """Requests of one ADMIN bearer in one process"""
    rate_manager: RequestRate = Field(default=100, gt=0)
    """The same of a MANAGER"""
    rate_client: RequestRate = Field(default=20, gt=0)
    """The same of a CLIENT"""
    rate_trader: RequestRate = Field(default=100, gt=0)
    """The same of a TRADER"""
    rate_feed: RequestRate = Field(default=200, gt=0)
    """The same of a FEED"""
    rate_payments: RequestRate = Field(default=50, gt=0)
    """The same of a PAYMENTS token"""
    rate_nobody: RequestRate = Field(default=10, gt=0)
    """The same of one address without a token"""
    rate_burst_seconds: float = Field(default=10, gt=0)
    """Burst: the time for which an idle bearer accumulates its request rate and processor share"""
    processor_share_admin: ProcessorShare = Field(default=1, gt=0)
    """Processor time that the requests of one ADMIN bearer may cost one process"""
    processor_share_manager: ProcessorShare = Field(default=1, gt=0)
    """The same of a MANAGER"""
    processor_share_client: ProcessorShare = Field(default=0.5, gt=0)
    """The same of a CLIENT"""
    processor_share_trader: ProcessorShare = Field(default=1, gt=0)
    """The same of a TRADER"""
    processor_share_feed: ProcessorShare = Field(default=1, gt=0)
    """The same of a FEED"""
    processor_share_payments: ProcessorShare = Field(default=0.2, gt=0)
    """The same of a PAYMENTS token"""
    processor_share_nobody: ProcessorShare = Field(default=0.05, gt=0)
    """The same of one address without a token"""
    flight_bearer_bytes_max: int = Field(default=32 << 20, ge=1 << 20)
    """Size of one bearer's unsent answers, reserved from before they are computed until they are sent. Beyond it a
    request is RATE_LIMITED, and subscriptions wait"""
    flight_bytes_max: int = Field(default=128 << 20, ge=2 << 20)
    """The same of all bearers of a process; beyond it a request is BUSY"""


class DocumentLimits(Group):
    """Limits of GraphQL documents"""

    document_characters_max: int = Field(default=20_000, ge=2_000)
    """The largest length of a document"""
    stranger_characters_max: int = Field(default=4_000, ge=2_000)
    """The largest length of a document sent without a token"""
    document_seconds_max: float = Field(default=20, gt=0)
    """Time limit for all fields of a document; later fields fail with TIME_LIMIT"""
    document_tokens_max: int = Field(default=5_000, ge=100)
    """Tokens"""
    document_fragments_max: int = Field(default=100, ge=5)
    """Fragments"""
    document_repeats_max: Annotated[int, Shown("times")] = Field(default=30, ge=2)
    """The most occurrences of one field name, over all levels"""
    document_depth_max: Annotated[int, Shown("levels")] = Field(default=20, ge=5)
    """The most nested levels of fields"""
    document_aliases_max: int = Field(default=100, ge=0)
    """Aliases"""
    document_roots_max: Annotated[int, Shown("root fields")] = Field(default=25, ge=1)
    """The most root fields"""
    document_cost_max: Annotated[int, Shown("fields")] = Field(default=200_000, ge=1_000)
    """Fields answered if every page were full; a count weighs 1000 of them, `challengeCounters` 10000, a filter 500,
    one by text 10000 more"""
    document_actions_max: int = Field(default=1_000, ge=250)
    """The most decision actions that all fields of a document together propose or preview"""
    document_variables_max: Annotated[int, Shown("characters")] = Field(default=250_000, ge=1_000)
    """Length of the variables that it uses more than once, each as often as it is used"""
    document_values_max: int = Field(default=15_000, ge=5_000)
    """The most values in all variables of a document, not counting quotes"""
    document_items_max: Annotated[int, Shown("objects")] = Field(default=250, ge=20)
    """The most objects in one list of a document's variables, except actions and quotes"""
    document_errors_max: int = Field(default=1_000, ge=10)
    """The most errors of a response; one more states that further ones are omitted"""
    trusted_documents: Annotated[Path | None, Shown("path")] = None
    """The trusted documents: a folder of `.graphql` files, or a JSON file that maps hash to document"""
    only_trusted_documents: bool = False
    """Whether only trusted documents are executed"""
    persisted_documents_max: int = Field(default=1_000, ge=0)
    """The number of cached documents that clients sent with their hash (persisted queries)"""
