"""The checks of a document before it is executed: parsing, limits, validation, and the fields that the role may read.

A long document is checked in a thread, one at a time, so that the event loop is not held. The result is kept unless the
document is very long: clients send few different documents.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    IntValueNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    validate,
)
from graphql import OperationType as Operation
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from schema.engine.document_limits import (
    KEPT,
    KEPT_CHARACTERS_MAX,
    LIST_SIZE,
    DocumentLimits,
    DocumentWeigher,
    LimitExceeded,
    Weight,
    definitions_of,
    operations_of,
    parse_document,
)
from schema.engine.errors import ApiError, BadUserInput, Busy
from schema.engine.field_repeats import most_repeats
from schema.engine.read_permissions import unreadable_fields
from schema.engine.strawberry_internals import graphql_schema, requested_operation_name
from schema.engine.variable_weights import VariableUses, excess_error, repeated_variables
from services.principals import Role

SHORT_CHARACTERS_MAX = 1_000  # length of a document that is checked on the event loop
WAITING_MAX = 16  # long documents of the whole process that wait for the thread
ERRORS_MAX = 5  # in one answer: of validation, or of fields that the role may not read
MESSAGE_CHARACTERS_MAX = 300  # of one error; graphql-core repeats whole values in it
PLACES_MAX = 3  # places in the document that one error names

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")
_waiting = 0


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """A document with everything that the result of its check depends on."""

    schema: GraphQLSchema
    rules: tuple[Any, ...]
    text: str
    limits: DocumentLimits
    name: str | None  # of the operation to be executed
    role: Role | None  # of the token; None without one
    whole_numbers: tuple[tuple[str, int], ...]  # among the variables


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """The result of a check; a document without errors may be executed."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    cost: int | None = None  # in fields, if every page is full
    seconds: float = 0.0  # of processor time
    uses: VariableUses = ()  # the variables used more than once


_kept: OrderedDict[DocumentRequest, CheckedDocument] = OrderedDict()


def whole_numbers(variables: Mapping[str, Any] | None) -> tuple[tuple[str, int], ...]:
    """Return the whole numbers among the variables. 10.0 is one for graphql-core, too."""
    values = (variables or {}).items()
    return tuple([(name, int(value)) for name, value in values if isinstance(value, int | float) and value % 1 == 0])


async def check_document(request: DocumentRequest) -> CheckedDocument:
    """Check a document. Raises Busy if too many long documents wait."""
    global _waiting
    if (kept := _kept.get(request)) is not None:
        _kept.move_to_end(request)
        return kept
    if len(request.text) <= SHORT_CHARACTERS_MAX or len(request.text) > request.limits.characters:
        result = check_now(request)
    elif _waiting >= WAITING_MAX:
        raise Busy.at("waiting checks of long documents", WAITING_MAX)
    else:
        _waiting += 1
        try:
            result = await asyncio.get_running_loop().run_in_executor(_thread, check_now, request)
        finally:
            _waiting -= 1
    if len(request.text) <= KEPT_CHARACTERS_MAX and not result.errors:
        _kept[request] = replace(result, seconds=0.0)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    return result


def check_now(request: DocumentRequest) -> CheckedDocument:
    """Check a document in this thread; a pure function of the request."""
    began = time.thread_time()
    document, errors, cost = _check(request)
    uses = repeated_variables(document, request.name) if document and not errors else ()
    return CheckedDocument(document, tuple(errors), cost, time.thread_time() - began, uses)


def _check(request: DocumentRequest) -> tuple[DocumentNode | None, Sequence[GraphQLError], int | None]:
    limits = request.limits
    if len(request.text) > limits.characters:
        return None, [LimitExceeded("characters", limits.characters, len(request.text))], None
    try:
        document = parse_document(request.text, limits.tokens)
    except LimitExceeded as error:
        return None, [error], None
    except GraphQLSyntaxError as error:
        error.extensions = {"code": BadUserInput.code}
        return None, [_shortened(error)], None
    weight, operations = _weigh(request, document)
    cost = weight.cost(LIST_SIZE)
    if fault := _exceeded(limits, document, weight):
        return document, [fault], cost
    if operations > 1 and request.name is None:
        return document, [BadUserInput("Name one of the document's operations: operationName.")], cost
    errors = validate(request.schema, document, request.rules, max_errors=ERRORS_MAX)
    if not errors and request.role is not None:
        errors = unreadable_fields(request.schema, document, request.name, request.role)[:ERRORS_MAX]
    return document, [_shortened(error) for error in errors], cost


def _weigh(request: DocumentRequest, document: DocumentNode) -> tuple[Weight, int]:
    """Return the weight of the operation to be executed, and the number of the document's operations."""
    operations = list(definitions_of(document, OperationDefinitionNode))
    variables = _defaults(operations) | dict(request.whole_numbers)
    weigher, weight = DocumentWeigher(request.schema, document, variables), Weight()
    for node in operations_of(document, request.name):
        weight = weight.plus(weigher.operation(node))
    return weight, len(operations)


def _exceeded(limits: DocumentLimits, document: DocumentNode, weight: Weight) -> LimitExceeded | None:
    """Return the error of the first limit that the document exceeds; None if it is within all."""
    fragments = sum(1 for _ in definitions_of(document, FragmentDefinitionNode))
    measured: tuple[tuple[str, Callable[[], int], int], ...] = (
        ("fragments", lambda: fragments, limits.fragments),
        ("repeats", lambda: most_repeats(document), limits.repeats),  # its walk relies on the limit of fragments
        ("depth", lambda: weight.depth, limits.depth),
        ("aliases", lambda: weight.aliases, limits.aliases),
        ("root fields", lambda: weight.roots, limits.roots),
        ("cost", lambda: weight.cost(LIST_SIZE), limits.cost),
    )
    return next(
        (LimitExceeded(name, limit, observed) for name, measure, limit in measured if (observed := measure()) > limit),
        None,
    )


def _defaults(operations: Iterable[OperationDefinitionNode]) -> dict[str, int]:
    """Return by variable the largest whole number that an operation declares as its default."""
    defaults: dict[str, int] = {}
    for variable in chain.from_iterable(node.variable_definitions or () for node in operations):
        if isinstance(variable.default_value, IntValueNode):
            name = variable.variable.name.value
            defaults[name] = max(defaults.get(name, 0), int(variable.default_value.value))
    return defaults


def _shortened(error: GraphQLError) -> GraphQLError:
    """Return the error with a message and a number of places within the limits."""
    places = error.nodes or ()
    if len(error.message) <= MESSAGE_CHARACTERS_MAX and len(places) <= PLACES_MAX:
        return error
    message = error.message
    if len(message) > MESSAGE_CHARACTERS_MAX:
        half = MESSAGE_CHARACTERS_MAX // 2
        message = f"{message[:half]} ... {message[-half:]}"
    return GraphQLError(message, list(places[:PLACES_MAX]), extensions=error.extensions)


def _placeholder(name: str | None) -> DocumentNode:
    """Return a document in place of one that cannot be parsed; Strawberry needs one, and does not execute it."""
    field = FieldNode(name=NameNode(value="__typename"))
    operation = OperationDefinitionNode(
        operation=Operation.QUERY,
        name=NameNode(value=name) if name is not None else None,
        selection_set=SelectionSetNode(selections=(field,)),
    )
    return DocumentNode(definitions=(operation,))


class DocumentChecks(SchemaExtension):
    """The extension that checks every document before it is executed, and returns its cost."""

    _checked: CheckedDocument | None = None

    async def on_parse(self) -> AsyncIterator[None]:
        execution = self.execution_context
        if execution.query:
            request = DocumentRequest(
                graphql_schema(execution.schema),
                tuple(execution.validation_rules),
                execution.query,
                execution.context.limits,
                requested_operation_name(execution),
                execution.context.role,
                whole_numbers(execution.variables),
            )
            try:
                self._checked = await check_document(request)
            except Busy as busy:  # a result, so that it is counted like any other refusal
                self._checked = CheckedDocument(None, (busy,))
            execution.context.thread_seconds += self._checked.seconds
            checked, limits = self._checked, execution.context.limits
            if checked.document and (
                error := excess_error(checked.document, checked.uses, execution.variables, limits)
            ):
                self._checked = replace(checked, errors=(error,))
            execution.graphql_document = self._checked.document or _placeholder(request.name)
        yield

    def on_validate(self) -> Iterator[None]:
        assert self._checked is not None, "on_parse has run"
        execution = self.execution_context
        execution.pre_execution_errors = list(self._checked.errors)
        if not self._checked.errors:
            execution.context.cost = self._checked.cost or 0
            if execution.operation_type is not OperationType.SUBSCRIPTION:
                self._reserve_answer(execution)
        yield
        if self._checked.document is None:
            execution.graphql_document = None  # telemetry sees that no document was parsed

    def _reserve_answer(self, execution: ExecutionContext) -> None:
        """Reserve room for the answer; without room the refusal is the result."""
        try:
            execution.context.reserve_answer(execution.context.cost)
        except ApiError as refusal:
            execution.pre_execution_errors = [refusal]

    def get_results(self) -> dict[str, Any]:
        """Return `cost`: the operation's cost and the limit. Events of a subscription have none."""
        execution = self.execution_context
        cost = self._checked.cost if self._checked else None
        if cost is None or execution.operation_type is OperationType.SUBSCRIPTION:
            return {}
        return {"cost": {"used": cost, "max": execution.context.limits.cost}}
