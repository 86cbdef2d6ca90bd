"""The fast path of lists: each selected field is read for all objects of a list at once.

graphql-core resolves every field of every object by itself, which costs many times what reading the values does. Here
a list's selection is compiled once (`list_compiler.py`), and each field then goes through all objects as one column.
`FastLists` in `list_answers.py` is the interface, and the executor (`schema/engine/executor.py`) its only caller.

The plain path is graphql-core's executor. It also answers every list that cannot be compiled and every list with a
value that is wrong, so errors, their paths and the nulls they cause are always graphql-core's.
PROPDESK_FAST_LISTS=false turns the fast path off. `tests/api/test_fast_lists.py` executes random documents on both
paths and compares the answers.
"""
