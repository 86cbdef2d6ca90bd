"""Database access: the models of the tables, and each SQL statement as a named function."""
