"""A batch of messages → what comes of each, as POST /predict answers one row."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np

from slipway.errors import SlipwayError
from slipway.model.scoring import Answers
from slipway.serving.access import begin, log_failure
from slipway.serving.api import prediction
from slipway.serving.decoder import Decoded, is_single
from slipway.serving.refusal import DETAILS, Refusal, problem_document
from slipway.serving.service import Service
from slipway.streaming.stream import Message, Reply
from slipway.table.block import Block


def replies(service: Service, messages: Sequence[Message]) -> list[Reply]:
    """What comes of each message, in their order. Rows with nothing to remark are answered together, others one by one.

    Raises
    ------
    BundleError
        When the model itself is broken.
    """
    try:
        together = _answered_together(service, messages)
    except SlipwayError:
        raise
    except Exception as error:  # whichever row it is: alone it becomes a dead letter, and the others are answered
        log_failure(error, messages[0].id)
        together = {}
    return [
        Reply(message, together[place], False) if place in together else _alone(service, message)
        for place, message in enumerate(messages)
    ]


def _answered_together(service: Service, messages: Sequence[Message]) -> dict[int, bytes]:
    """The answers to the messages that get one without a warning, by their places; they are logged."""
    read = {place: row for place, message in enumerate(messages) if (row := _plain(service, message)) is not None}
    if not read:
        return {}
    decoded = _joined([*read.values()])
    asked = service.asked(decoded, whole=False)
    answers = service.score(asked.columns, asked.reasons, asked.count)
    unlike = {row for each in service.rules.unlike(answers.columns) for row in each.rows.tolist()}
    documents, places = service.told(answers, decoded), list(read)
    chosen = np.arange(decoded.count) if answers.chosen is None else answers.chosen
    plain = {places[row]: number for number, row in enumerate(chosen.tolist()) if number not in unlike}
    found = {
        place: msgspec.json.encode(documents[chosen[number]] | {"bundle": service.digest}) for place, number in plain.items()
    }
    if service.recorder.is_on:
        rows = asked.rows(chosen)
        for place, number in plain.items():
            _log(service, messages[place], answers, number, rows[number])
    return found


def _plain(service: Service, message: Message) -> Decoded | None:
    """The row of a message that the decoder's fast way takes; None for any other."""
    try:
        _require_size(service, message)
        decoded = service.decoder.decode(message.body or b"")
    except Refusal:
        return None
    fits = isinstance(decoded.columns, Block) and is_single(message.body or b"")
    return decoded if fits else None


def _joined(decoded: Sequence[Decoded]) -> Decoded:
    """One row each → all of them."""
    blocks = [cast(Block, each.columns) for each in decoded]
    matrix = np.concatenate([block.matrix for block in blocks])
    return Decoded(Block(blocks[0].layout, matrix), len(decoded), rows=[each.rows[0] for each in decoded])


def _require_size(service: Service, message: Message) -> None:
    if message.body is None:
        raise Refusal(400, "The message is empty; expected a JSON object, in Redis in the field row.")
    most = service.problem.serving.max_body_bytes
    if len(message.body) > most:
        raise Refusal(413, f"The message is larger than {most} bytes.")


def _log(service: Service, message: Message, answers: Answers, number: int, row: Any) -> None:
    shares = None if answers.probabilities is None else answers.probabilities[number : number + 1]
    answer = Answers(None, answers.values[number : number + 1], shares, {}, {})
    service.recorder.record(begin(message.id), answer, lambda: [row], None, {}, {})


def _alone(service: Service, message: Message) -> Reply:
    """What comes of one message, word for word as of a request."""
    call = begin(message.id)
    try:
        _require_size(service, message)
        body = message.body or b""
        if not is_single(body):
            service.decoder.document(body)  # what is not JSON is refused for that
            raise Refusal(422, "Expected one row, an object.")
        return Reply(message, prediction(service, call, body, {}), False)
    except Refusal as refusal:
        service.refused(refusal.counts, call, prediction=True)
        total = sum(refusal.counts.values())
        document = problem_document(refusal.status, refusal.detail, refusal.problems, total)
    except SlipwayError:
        raise
    except Exception as error:  # one row must not end the others
        log_failure(error, message.id)
        document = problem_document(500, DETAILS[500])
    return Reply(message, msgspec.json.encode(document | {"bundle": service.digest}), True)
