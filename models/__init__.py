"""Rows: the models of the tables, and every SQL text as a named function."""
