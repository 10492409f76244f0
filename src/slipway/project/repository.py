"""Everything that Slipway generates in a repository, of one version and for the same answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway import __version__
from slipway.project.answers import Answers
from slipway.project.distribution import VENDOR, Origin
from slipway.project.generated import Generated, packed
from slipway.project.pins import SLIPWAY, Pin, Pins, packaged, read_pins
from slipway.project.rendering import File, rendered

TRAIN = "requirements-train.txt"
LOCKS = {
    "requirements.txt": (
        "# What serves, in the versions that this Slipway was tested with. slipway upgrade brings the next ones.",
        ("requirements.txt",),
    ),
    TRAIN: (
        "# What trains and tests, and what serves. Add libraries of your own with their hashes: slipway upgrade keeps them.",
        ("requirements-test.txt", TRAIN),
    ),
}


@dataclass(frozen=True)
class Repository:
    """What is generated.

    Parameters
    ----------
    answers : Answers
    files : mapping
        Path → file, from the templates.
    locks : mapping
        Path → requirements of Slipway, without its own line, which is in `origin`.
    """

    answers: Answers
    files: Mapping[str, File]
    locks: Mapping[str, Pins]
    origin: Origin

    @property
    def wheels(self) -> dict[str, bytes]:
        """Path → content of the wheel; empty when Slipway comes from an index."""
        wheel = self.origin.wheel
        return {f"{VENDOR}/{wheel.name}": wheel.content} if wheel else {}

    def record(self) -> Generated:
        """What the repository keeps of this."""
        return Generated(
            version=__version__,
            answers=self.answers,
            files={path: packed(file.text) for path, file in self.files.items()},
            pins={path: {name: pin.version for name, pin in pins.items()} for path, pins in self.locks.items()},
        )


def repository(answers: Answers, origin: Origin) -> Repository:
    """What this Slipway generates for these answers."""
    line = Pin(__version__, origin.line)
    extras = tuple(f"requirements-{extra}.txt" for extra in answers.extras)
    locks = {
        path: _union((*names, *(extras if path == TRAIN else ()))) | {SLIPWAY: line} for path, (_, names) in LOCKS.items()
    }
    return Repository(answers, rendered(answers), locks, origin)


def _union(names: tuple[str, ...]) -> dict[str, Pin]:
    found: dict[str, Pin] = {}
    for name in names:
        found |= read_pins(packaged(name))
    return found


def lock_title(path: str) -> str:
    """The comment at the top of a lock."""
    return LOCKS[path][0]
