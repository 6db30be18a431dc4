"""What the readers of rpm's databases have in common."""

MAX_HEADERS = 100_000
"""Packages of a database."""


class DatabaseError(ValueError):
    """What is wrong with a database, in words that fit behind its name. What was read before it counts."""
