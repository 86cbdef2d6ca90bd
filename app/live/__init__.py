"""Live events and websockets, with the fast path of events.

Fast path: an event is rendered once for all subscribers with the same selection (`rendering.py`) and written to all of
them with the same bytes (`fan_out.py`). Plain path: graphql-core executes the subscription for each subscriber and each
event; it also serves every selection that may depend on the subscriber. PROPDESK_FAST_FAN_OUT=false turns the fast path
off. `tests/api/test_fan_out.py::test_a_ready_frame_is_what_executing_for_one_gives` compares both on random documents.
"""
