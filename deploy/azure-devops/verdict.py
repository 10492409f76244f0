"""What the gate said, as Markdown: of the champion, and of the last training. azure-pipelines.yml calls it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slipway.store.local import LocalStore, open_store


def verdict(store: LocalStore) -> Iterator[str]:
    """The lines; also of a checkout that has no bundle."""
    yield "### The gate"
    pointer = store.pointer()
    if pointer is None:
        yield "No champion yet: run the pipeline with *train*, or `slipway train`."
        return
    yield from _told(f"Champion `{pointer.digest[:12]}`", store.verdict(pointer))
    last = store.journal.last_verdict()
    if last.get("outcome") == "kept":
        yield from _told(f"The last training: challenger `{str(last.get('digest'))[:12]}`", last)


def _told(what: str, said: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n{what}: {said.get('outcome', 'promoted')}"
    yield from (f"- {reason}" for reason in said.get("reasons", []))


if __name__ == "__main__":
    print("\n".join(verdict(open_store(Path()))))
