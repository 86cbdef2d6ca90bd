"""What schemathesis sends for the scalars of this API, and what it looks for in each answer."""

import schemathesis
from graphql import ConstListValueNode, ConstObjectFieldNode, ConstObjectValueNode, NameNode
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, Response
from schemathesis.graphql import nodes

DECIMALS = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.sampled_from(["0", "-0", "1e400", "0.000000001", "99999999999999999999", "\uff11", " 1", "1_0"]),
    st.text(max_size=40),
)
INSTANTS = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59", "2026-02-30T00:00:00Z"]),
    st.text(max_size=40),
)
TEXTS = st.text(max_size=20)
QUOTES = st.fixed_dictionaries({"symbol": TEXTS, "bid": DECIMALS, "ask": DECIMALS, "time": INSTANTS})


def quote(parts: dict[str, str]) -> ConstObjectValueNode:
    """The quote as it stands in a document."""
    fields = (ConstObjectFieldNode(name=NameNode(value=name), value=nodes.String(text)) for name, text in parts.items())
    return ConstObjectValueNode(fields=tuple(fields))


schemathesis.graphql.scalar("Decimal", DECIMALS.map(nodes.String))
schemathesis.graphql.scalar("DateTime", INSTANTS.map(nodes.String))
schemathesis.graphql.scalar("Long", st.integers(-(2**70), 2**70).map(nodes.Int))
schemathesis.graphql.scalar("TextOrNumber", TEXTS.map(nodes.String) | st.integers(-(2**70), 2**70).map(nodes.Int))
schemathesis.graphql.scalar("JSON", TEXTS.map(nodes.String))
schemathesis.graphql.scalar(
    "QuoteList", st.lists(QUOTES.map(quote), max_size=3).map(lambda quotes: ConstListValueNode(values=tuple(quotes)))
)


@schemathesis.check
def is_no_fault(_context: CheckContext, response: Response, _case: Case) -> None:
    """Raises AssertionError for a status of 5xx, and for an error with the code INTERNAL."""
    assert response.status_code < 500, response.text
    assert '"INTERNAL"' not in response.text, response.text
