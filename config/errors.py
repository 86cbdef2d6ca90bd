"""The one exception of this storey: something the operator has to mend."""


class Problem(Exception):
    """A problem and its remedy in one line. The CLI prints it and exits with status 1."""
