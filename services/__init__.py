"""Use cases of the desk. Transactions begin and end in `unit_of_work` alone."""
