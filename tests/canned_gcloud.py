"""A stand-in for the `gcloud` program, as canned_aws: it refuses calls that gcloud would refuse."""

import sys
from pathlib import Path

import canned_aws

CHECK = f"""
sys.path.insert(0, {str(Path(__file__).parent)!r})
from gcloud_commands import parse
try:
    parse(sys.argv[1:])
except ValueError as error:
    sys.exit("ERROR: (gcloud) " + str(error))
"""
STAND_IN = canned_aws.STAND_IN.replace("from pathlib import Path\n", f"from pathlib import Path\n{CHECK}", 1)


class CannedGcloud(canned_aws.CannedAws):
    """What gcloud answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "gcloud").write_text(STAND_IN.format(python=f"{sys.executable} -IS"))
        (folder / "gcloud").chmod(0o755)
