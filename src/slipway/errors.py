"""Errors a person can act on: what was wrong and where, then what to do."""


class SlipwayError(Exception):
    """An expected failure.

    Parameters
    ----------
    cause : str
        What was wrong and where (path, line, column, field).
    cure : str
        What to do about it; may be empty when the cause says it all.
    """

    exit_code = 1

    def __init__(self, cause: str, cure: str = "") -> None:
        super().__init__(f"{cause}. {cure}" if cure else cause)
        self.cause = cause
        self.cure = cure


class ProblemError(SlipwayError):
    """The problem file or a setting is wrong."""

    exit_code = 3


class TableError(SlipwayError):
    """The table cannot be read or does not fit the problem."""

    exit_code = 4


class BundleError(SlipwayError):
    """A bundle is damaged, incomplete or not of a kind this version reads."""

    exit_code = 5


class StoreError(SlipwayError):
    """The store, its pointer or its journal cannot be read or written."""

    exit_code = 5


class StreamError(SlipwayError):
    """A stream, or its broker, cannot be read or written."""

    exit_code = 5


class ServingError(SlipwayError):
    """The service cannot be started."""

    exit_code = 6


class ReleaseError(SlipwayError):
    """A release cannot be made, or cannot go live."""

    exit_code = 7


class ProjectError(SlipwayError):
    """A repository cannot be made, or brought to another version."""

    exit_code = 8
