"""Which broker a URL names. Messages show its address alone: the rest may hold a password."""

from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, urlsplit

from slipway.errors import ProblemError
from slipway.extras import is_installed
from slipway.streaming.stream import Names, Stream

VARIABLE = "SLIPWAY_STREAM"
EXTRAS = {"redis": "redis", "rediss": "redis", "kafka": "kafka"}  # scheme → extra

ESCAPES = "/ as %2F, # as %23, ? as %3F, @ as %40, & as %26 and % as %25"


def broker_url(given: str, environ: Mapping[str, str]) -> SplitResult:
    """The URL of the command line, or else of the environment.

    Raises
    ------
    ProblemError
        When there is none, when it is of no known kind, or when one on the command line may hold a secret.
    """
    where = "BROKER" if given else VARIABLE
    try:
        url = urlsplit(given or environ.get(VARIABLE, "").strip())
    except ValueError:  # what it says quotes the URL
        raise ProblemError(f"{where}: not a URL", "Write it as redis://HOST:6379/0 or kafka://HOST:9092") from None
    if not url.scheme and not given:
        raise ProblemError("no broker is named", f"Name one: slipway consume redis://HOST:6379/0 …, or set {VARIABLE}")
    if url.scheme not in EXTRAS or not url.netloc:
        raise ProblemError(f"{where}: expected redis://, rediss:// or kafka:// and a host")
    if url.fragment or "@" in url.path:
        raise ProblemError(f"{where}: a character of the password ends the URL early", f"Write {ESCAPES}")
    if url.scheme == "kafka" and ("@" in url.netloc or url.path.strip("/")):
        cure = "Write kafka://HOST:PORT,HOST:PORT?sasl.username=…&sasl.password=…"
        raise ProblemError(f"{where}: a URL of Kafka has no login before the host, and no path", cure)
    if given and ("@" in url.netloc or url.query):
        cure = f"Set {VARIABLE} to the URL, and leave BROKER out"
        raise ProblemError(
            "BROKER: a login or an option on the command line is shown by ps and kept in the shell history", cure
        )
    return url


def address(url: SplitResult) -> str:
    """Host and port, for messages."""
    return url.netloc.rpartition("@")[2]


def open_stream(url: SplitResult, names: Names) -> Stream:
    """A consumer and a producer at the broker, which is not asked yet.

    Raises
    ------
    ProblemError
        When names are not distinct, the client is not installed, or it refuses the URL or a name.
    """
    if len({names.source, names.answers, names.dead}) < 3:
        raise ProblemError("--from, --to and --dead-letters: expected three different names")
    extra = EXTRAS[url.scheme]
    if not is_installed(extra):
        raise ProblemError(f"{url.scheme}:// needs a client that is not installed", f"pip install 'slipway-ml[{extra}]'")
    if extra == "redis":
        from slipway.streaming.redis_stream import RedisStream

        return RedisStream(url.geturl(), names)
    from slipway.streaming.kafka_stream import KafkaStream

    properties = dict(parse_qsl(url.query.replace("+", "%2B")))  # no form: base64 has a plus, and passwords are base64
    return KafkaStream(address(url), properties, names)
