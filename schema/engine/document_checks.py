"""Documents examined before anything is executed: read, weighed against the limits, validated, held against what the
token's role may read.

A long document is examined by a thread of its own, one at a time, so that the event loop goes on. What is found of a
short one is kept: documents are few and come often.
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
    parse_document,
)
from schema.engine.errors import ApiError, BadUserInput, Busy
from schema.engine.field_repeats import most_repeats
from schema.engine.read_permissions import unreadable_fields
from schema.engine.strawberry_internals import graphql_schema, requested_operation_name
from schema.engine.variable_weights import VariableUses, excess_error, repeated_variables
from services.principals import Role

SHORT_CHARACTERS_MAX = 1_000  # of a document that is examined on the event loop
WAITING_MAX = 16  # long documents that wait for the thread, of the whole process
ERRORS_MAX = 5  # of validation, which ends with the next one, and of fields that the role may not read
MESSAGE_CHARACTERS_MAX = 300  # of one error: graphql-core repeats whole values in it
PLACES_MAX = 3  # of one error in the document

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")
_waiting = 0


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """A document with all that its examination depends on."""

    schema: GraphQLSchema
    rules: tuple[Any, ...]
    text: str
    allowed: DocumentLimits
    name: str | None  # of the operation to be executed
    role: Role | None  # of the token; None without one
    whole_numbers: tuple[tuple[str, int], ...]  # among the variables


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """What was found; a document without errors may be executed."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    cost: int | None = None  # in fields, if every page were full
    seconds: float = 0.0  # of processor time
    uses: VariableUses = ()  # of variables, more than once


_kept: OrderedDict[DocumentRequest, CheckedDocument] = OrderedDict()


def whole_numbers(variables: Mapping[str, Any] | None) -> tuple[tuple[str, int], ...]:
    """Return the whole numbers among the variables; 10.0 is one, too, in JSON and for graphql-core."""
    given = (variables or {}).items()
    return tuple([(name, int(value)) for name, value in given if isinstance(value, int | float) and value % 1 == 0])


async def check_document(question: DocumentRequest) -> CheckedDocument:
    """Examine a document. Raises Busy where too many long ones wait already."""
    global _waiting
    if (known := _kept.get(question)) is not None:
        _kept.move_to_end(question)
        return known
    if len(question.text) <= SHORT_CHARACTERS_MAX or len(question.text) > question.allowed.characters:
        result = check_now(question)
    elif _waiting >= WAITING_MAX:
        raise Busy.at("examinations of long documents", WAITING_MAX)
    else:
        _waiting += 1
        try:
            result = await asyncio.get_running_loop().run_in_executor(_thread, check_now, question)
        finally:
            _waiting -= 1
    if len(question.text) <= KEPT_CHARACTERS_MAX and not result.errors:
        _kept[question] = replace(result, seconds=0.0)
        if len(_kept) > KEPT:
            _kept.popitem(last=False)
    return result


def check_now(question: DocumentRequest) -> CheckedDocument:
    """Examine a document at once; a pure function of the question."""
    began = time.thread_time()
    document, errors, cost = _examine(question)
    uses = repeated_variables(document, question.name) if document and not errors else ()
    return CheckedDocument(document, tuple(errors), cost, time.thread_time() - began, uses)


def _examine(question: DocumentRequest) -> tuple[DocumentNode | None, Sequence[GraphQLError], int | None]:
    allowed = question.allowed
    if len(question.text) > allowed.characters:
        return None, [LimitExceeded("characters", allowed.characters, len(question.text))], None
    try:
        document = parse_document(question.text, allowed.tokens)
    except LimitExceeded as error:
        return None, [error], None
    except GraphQLSyntaxError as error:
        error.extensions = {"code": BadUserInput.code}
        return None, [_shortened(error)], None
    weight, operations = _weigh(question, document)
    cost = weight.cost(LIST_SIZE)
    if fault := _beyond(allowed, document, weight):
        return document, [fault], cost
    if operations > 1 and question.name is None:
        return document, [BadUserInput("Name one of the document's operations: operationName.")], cost
    errors = validate(question.schema, document, question.rules, max_errors=ERRORS_MAX)
    if not errors and question.role is not None:
        errors = unreadable_fields(question.schema, document, question.name, question.role)[:ERRORS_MAX]
    return document, [_shortened(error) for error in errors], cost


def _weigh(question: DocumentRequest, document: DocumentNode) -> tuple[Weight, int]:
    """Return what is to be executed weighs, and how many operations the document has."""
    operations = list(definitions_of(document, OperationDefinitionNode))
    variables = _defaults(operations) | dict(question.whole_numbers)
    scale, weight = DocumentWeigher(question.schema, document, variables), Weight()
    for node in operations:
        if question.name in (None, node.name and node.name.value):
            weight = weight.beside(scale.operation(node))
    return weight, len(operations)


def _beyond(allowed: DocumentLimits, document: DocumentNode, weight: Weight) -> LimitExceeded | None:
    """Return the first limit that the document exceeds, if any."""
    fragments = sum(1 for _ in definitions_of(document, FragmentDefinitionNode))
    measured: tuple[tuple[str, Callable[[], int], int], ...] = (
        ("fragments", lambda: fragments, allowed.fragments),
        ("repeats", lambda: most_repeats(document), allowed.repeats),  # only where the fragments are few enough to look
        ("depth", lambda: weight.depth, allowed.depth),
        ("aliases", lambda: weight.aliases, allowed.aliases),
        ("root fields", lambda: weight.roots, allowed.roots),
        ("cost", lambda: weight.cost(LIST_SIZE), allowed.cost),
    )
    return next((LimitExceeded(name, limit, seen) for name, see, limit in measured if (seen := see()) > limit), None)


def _defaults(operations: Iterable[OperationDefinitionNode]) -> dict[str, int]:
    """Return by variable the largest whole number that an operation gives it where the request gives none."""
    defaults: dict[str, int] = {}
    for variable in chain.from_iterable(node.variable_definitions or () for node in operations):
        if isinstance(variable.default_value, IntValueNode):
            name = variable.variable.name.value
            defaults[name] = max(defaults.get(name, 0), int(variable.default_value.value))
    return defaults


def _shortened(error: GraphQLError) -> GraphQLError:
    """Return the error with a message and places of bounded length."""
    places = error.nodes or ()
    if len(error.message) <= MESSAGE_CHARACTERS_MAX and len(places) <= PLACES_MAX:
        return error
    message = error.message
    if len(message) > MESSAGE_CHARACTERS_MAX:
        half = MESSAGE_CHARACTERS_MAX // 2
        message = f"{message[:half]} ... {message[-half:]}"
    return GraphQLError(message, list(places[:PLACES_MAX]), extensions=error.extensions)


def _placeholder(name: str | None) -> DocumentNode:
    """Return a document that stands for one that cannot be read until its error is answered; it is not executed."""
    field = FieldNode(name=NameNode(value="__typename"))
    operation = OperationDefinitionNode(
        operation=Operation.QUERY,
        name=NameNode(value=name) if name is not None else None,
        selection_set=SelectionSetNode(selections=(field,)),
    )
    return DocumentNode(definitions=(operation,))


class DocumentChecks(SchemaExtension):
    """Examines every document before it is executed, and answers the cost of every one within the limits."""

    _examined: CheckedDocument | None = None

    async def on_parse(self) -> AsyncIterator[None]:
        execution = self.execution_context
        if execution.query:
            question = DocumentRequest(
                graphql_schema(execution.schema),
                tuple(execution.validation_rules),
                execution.query,
                execution.context.limits,
                requested_operation_name(execution),
                execution.context.role,
                whole_numbers(execution.variables),
            )
            try:
                self._examined = await check_document(question)
            except Busy as busy:  # a result like any other refusal, so that it is counted
                self._examined = CheckedDocument(None, (busy,))
            execution.context.thread_seconds += self._examined.seconds
            examined_, given = self._examined, execution.variables
            if examined_.document and (
                fault := excess_error(examined_.document, examined_.uses, given, execution.context.limits)
            ):
                self._examined = replace(examined_, errors=(fault,))
            execution.graphql_document = self._examined.document or _placeholder(question.name)
        yield

    def on_validate(self) -> Iterator[None]:
        assert self._examined is not None, "it has been parsed"
        execution = self.execution_context
        execution.pre_execution_errors = list(self._examined.errors)
        if not self._examined.errors:
            execution.context.cost = self._examined.cost or 0
            if execution.operation_type is not OperationType.SUBSCRIPTION:
                self._admit(execution)
        yield
        if self._examined.document is None:
            execution.graphql_document = None  # whoever observes the operation learns that there was none

    def _admit(self, execution: ExecutionContext) -> None:
        """Make room for the answer; without any the refusal is the result."""
        try:
            execution.context.reserve_answer(execution.context.cost)
        except ApiError as refusal:
            execution.pre_execution_errors = [refusal]

    def get_results(self) -> dict[str, Any]:
        """`cost`: what the operation may cost at most, and how much is allowed. Events of a subscription lack it."""
        execution = self.execution_context
        cost = self._examined.cost if self._examined else None
        if cost is None or execution.operation_type is OperationType.SUBSCRIPTION:
            return {}
        return {"cost": {"used": cost, "max": execution.context.limits.cost}}
