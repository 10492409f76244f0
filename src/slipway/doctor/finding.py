"""What one check found."""

from dataclasses import dataclass

OK = "ok"
MISSING = "missing"  # not set up yet; needed or not depending on how you deploy
FAILED = "failed"  # set up, but does not work, or is dangerous
SKIPPED = "skipped"  # cannot be checked from here


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Parameters
    ----------
    what : str
        What was checked, in a word or two.
    state : str
        `OK`, `MISSING`, `FAILED` or `SKIPPED`.
    says : str
    cure : str
        What to do; empty when there is nothing to do. No finding ever holds a secret.
    now : bool
        Whether training and serving on this machine need it; if not, only a release does.
    """

    what: str
    state: str
    says: str
    cure: str = ""
    now: bool = False
