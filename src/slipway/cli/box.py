"""slipway box"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click


@click.group()
def command() -> None:
    """Create, update and delete a box on EC2, or pack what a machine of your own is set up with.

    Settings come from the environment; docs/ec2.md lists them. up and teardown need the AWS command line and bash.

    \b
    Example:
      AWS_REGION=eu-west-1 GITHUB_REPOSITORY=owner/name slipway box up
    """


@command.command()
def up() -> None:
    """Create or update the AWS resources, and set up the box.

    \b
    Example:
      AWS_REGION=eu-west-1 GITHUB_REPOSITORY=owner/name slipway box up
    """
    from slipway.release.box.archive import pack as write

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "box.tar.gz"
        write(archive)
        _run("up", ARCHIVE=str(archive))


@command.command()
@click.option("--yes", "stack", metavar="STACK", help="Do not ask; the stack's name, as it would be typed.")
def teardown(stack: str | None) -> None:
    """List and delete everything that up created; asks first.

    \b
    Example:
      AWS_REGION=eu-west-1 slipway box teardown
    """
    _run("teardown", *(() if stack is None else ("--yes", stack)))


@command.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.tar.gz")
def pack(target: Path) -> None:
    """Write what a box is set up with to FILE.tar.gz: unpack it there, and run ./bootstrap as root.

    \b
    Example:
      slipway box pack box.tar.gz
    """
    from slipway.release.box.archive import pack as write

    write(target)
    click.echo(f"{target} is packed. On the box: tar xzf {target.name} && sudo REPOSITORY=… ./bootstrap")


def _run(script: str, *arguments: str, **environ: str) -> None:
    """Run a script of the package in the foreground; end with its exit code if it fails."""
    from slipway.errors import ReleaseError
    from slipway.release.box.archive import EC2

    bash = shutil.which("bash")
    if bash is None:
        raise ReleaseError("bash is not installed", "Install it; on Windows, work in WSL2")
    code = subprocess.run([bash, EC2 / script, *arguments], env=os.environ | environ).returncode
    if code:
        sys.exit(code)
