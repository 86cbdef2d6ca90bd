"""Settings that limit what one request, and one client, may cost."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from config.setting_groups import Group, ProcessorShare, RequestRate, Shown


class RequestLimits(Group):
    """Limits of connections and requests"""

    connections_max: int = Field(default=10_000, ge=10)
    """Open connections of one API process, at most 0.8 of the files it may open"""
    strangers_address_max: Annotated[int, Shown("connections")] = Field(default=1_000, ge=1)
    """Connections of one address that have shown no valid token"""
    sockets_bearer_max: Annotated[int, Shown("websockets")] = Field(default=6_000, ge=1)
    """Websockets of one token in one process"""
    head_seconds_max: float = Field(default=10, gt=0)
    """Time in which a request's line and headers have to come"""
    client_silence_seconds_max: int = Field(default=30, ge=2, le=3_600)
    """Time after which a client that is gone without a word counts as gone, its websockets too"""
    body_bytes_max: int = Field(default=1 << 20, ge=1 << 10)
    """Size of a request's body; a proxy in front allows as much"""
    body_seconds_max: float = Field(default=30, gt=0)
    """Time in which a request's body has to come"""
    body_values_max: int = Field(default=50_000, ge=10_000)
    """Commas, lists and objects of a body's JSON, or of a websocket message"""
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
    """Time of its rate and processor share that an idle bearer has saved"""
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
    """Answers on their way to one bearer: from before they are computed until the socket has taken them. Beyond it a
    request is RATE_LIMITED, and subscriptions wait"""
    flight_bytes_max: int = Field(default=128 << 20, ge=2 << 20)
    """The same of all bearers of a process; beyond it a request is BUSY"""


class DocumentLimits(Group):
    """Limits of GraphQL documents"""

    document_characters_max: int = Field(default=20_000, ge=2_000)
    """Length of a document"""
    stranger_characters_max: int = Field(default=4_000, ge=2_000)
    """Length of a document that comes without a token"""
    document_seconds_max: float = Field(default=20, gt=0)
    """Time in which all its fields are to be answered; later ones are TIME_LIMIT"""
    document_tokens_max: int = Field(default=5_000, ge=100)
    """Tokens"""
    document_fragments_max: int = Field(default=100, ge=5)
    """Fragments"""
    document_repeats_max: Annotated[int, Shown("times")] = Field(default=30, ge=2)
    """How often one name is asked for, over all levels"""
    document_depth_max: Annotated[int, Shown("levels")] = Field(default=20, ge=5)
    """Levels of fields"""
    document_aliases_max: int = Field(default=100, ge=0)
    """Aliases"""
    document_roots_max: Annotated[int, Shown("root fields")] = Field(default=25, ge=1)
    """Root fields"""
    document_cost_max: Annotated[int, Shown("fields")] = Field(default=200_000, ge=1_000)
    """Fields answered if every page were full; a count weighs 1000 of them, `challengeCounters` 10000, a filter 500,
    one by text 10000 more"""
    document_actions_max: int = Field(default=1_000, ge=250)
    """Decision actions that all its fields together propose or preview"""
    document_variables_max: Annotated[int, Shown("characters")] = Field(default=250_000, ge=1_000)
    """Length of the variables that it uses more than once, each as often as it is used"""
    document_values_max: int = Field(default=15_000, ge=5_000)
    """Values in all its variables, those of quotes apart"""
    document_items_max: Annotated[int, Shown("objects")] = Field(default=250, ge=20)
    """Objects in one list of its variables, but for actions and quotes"""
    document_errors_max: int = Field(default=1_000, ge=10)
    """Errors beside its data; one more says that further ones are left out"""
    trusted_documents: Annotated[Path | None, Shown("path")] = None
    """A folder of `.graphql` files, or a JSON object of hash and document"""
    only_trusted_documents: bool = False
    """Whether only trusted documents are executed"""
    persisted_documents_max: int = Field(default=1_000, ge=0)
    """Documents remembered of those that clients send with their hash"""
