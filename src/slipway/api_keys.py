"""API keys: in a variable, separated by commas; or in a file, one per line, blank lines and lines that begin with # aside.

The service reads the file, and the program on the box writes it: both refuse the same files.
"""

VARIABLE = "SLIPWAY_API_KEYS"
FILE = "SLIPWAY_API_KEYS_FILE"
MOST_BYTES = 65_536


def listed_keys(value: str) -> list[str]:
    """The keys in the variable, in order."""
    return [key.strip() for key in value.split(",") if key.strip()]


def parse_keys(content: bytes) -> list[str]:
    """The keys in a file, in order.

    Raises
    ------
    ValueError
        With what is wrong and in which line. It never quotes a key.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES} bytes")
    if content and not content.endswith(b"\n"):
        raise ValueError("the last line has no line end: the file may be incomplete")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None  # its text would quote the file
    keys = []
    for number, line in enumerate(lines, 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if "," in key or len(key.split()) > 1:
            raise ValueError(f"line {number}: a space or comma in a key; write one key per line")
        keys.append(key)
    if not keys:
        raise ValueError("contains no key")
    return keys
