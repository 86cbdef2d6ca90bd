"""Use cases: what the desk does for those who ask. Transactions begin and end in `unit` alone."""
