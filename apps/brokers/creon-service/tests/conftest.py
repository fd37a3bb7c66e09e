"""Property tests draw the same values on every machine and have no deadline: a slow machine is not a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("jts", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("jts")
