"""Developers' commands: benches, the demo, and the generators of documents. They are not in the wheel."""
