"""What the engine's client prints, as the release program understands it."""

from pathlib import Path

from slipway.release.box.engine import Engine


def saying(folder: Path, text: str) -> Engine:
    """An engine whose client prints this, whatever it is asked."""
    (folder / "said").write_text(text)
    client = folder / "docker"
    client.write_text(f"#!/bin/sh\ncat '{folder}/said'\n")
    client.chmod(0o755)
    return Engine(str(client))


def test_a_container_that_names_no_release_is_none(tmp_path):
    """Its folder would be the one that holds all sockets, and be removed as that of a stray."""
    engine = saying(tmp_path, "\trunning\n../..\texited\n0123456789ab\trunning\n")
    assert engine.containers("slipway.repository=registry.example/insurance") == {"0123456789ab": "running"}
