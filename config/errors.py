"""The one exception of this storey: something the operator has to mend."""


class Problem(Exception):
    """What is wrong and what to do about it, in one line; the CLI prints it and exits 1."""
