"""What a running service holds: the problem, the champion's predictor, and the decoder of its requests."""

import os
import threading
from collections.abc import Mapping

from slipway.errors import BundleError, ServingError, SlipwayError
from slipway.predictor import Predictor
from slipway.problem import Problem
from slipway.schema import Schema
from slipway.serving.decoder import Decoder
from slipway.store import open_store


class Service:
    """The champion of a problem, ready to answer.

    Raises
    ------
    ServingError
        When there is no champion, or its bundle cannot be read.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        try:
            store = open_store(problem.store, problem.folder)
            pointer = store.pointer()
            if pointer is None:
                raise ServingError(f"{store.root}: there is no champion to serve yet", "Run slipway train first")
            self._bundle = store.bundle(pointer.digest)
            self._predictor = Predictor(self._bundle)
        except ServingError:
            raise
        except SlipwayError as error:
            raise ServingError(f"the champion cannot be served: {error.cause}", error.cure) from error
        self.verdict: Mapping = pointer.verdict
        self.decoder = Decoder(self.schema, problem.serving)
        self._replayed = False
        self._lock = threading.Lock()
        # An ONNX Runtime session does not survive a fork (gunicorn --preload): the child makes its own.
        os.register_at_fork(after_in_child=self._renew)

    @property
    def predictor(self) -> Predictor:
        return self._predictor

    @property
    def schema(self) -> Schema:
        return self._predictor.schema

    @property
    def digest(self) -> str:
        return self._predictor.digest

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._predictor = Predictor(self._bundle)
        self._replayed = False

    def require_ready(self) -> None:
        """Replay the golden predictions once; BundleError when one differs."""
        with self._lock:
            if not self._replayed:
                try:
                    self._predictor.replay()
                except (KeyError, TypeError, ValueError) as error:
                    raise BundleError(f"golden.json: cannot be replayed ({error!r})") from error
                self._replayed = True
