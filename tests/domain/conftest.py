"""Hypothesis for the domain: the code is pure, so only slow machines could miss a deadline."""

from hypothesis import settings

settings.register_profile("domain", deadline=None)
settings.load_profile("domain")
