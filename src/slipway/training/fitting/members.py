"""A fitted model → the members that a bundle lists, and their graphs."""

from slipway.model.contents import Member, Outputs
from slipway.training.fitting.candidates import CANDIDATES
from slipway.training.fitting.fitted import Blended, Fitted


def members(fitted: Fitted | Blended, stem: str = "model") -> tuple[tuple[Member, ...], dict[str, bytes]]:
    """Its members, and name → ONNX bytes: ``model.onnx``, ``model-2.onnx``, …"""
    found, graphs = [], {}
    for number, (one, weight) in enumerate(fitted.members, start=1):
        candidate = CANDIDATES[one.trial.candidate]
        graph = candidate.export(one.estimator, len(one.encoding.outputs))
        name = f"{stem}.onnx" if number == 1 else f"{stem}-{number}.onnx"
        graphs[name] = graph.onnx
        found.append(
            Member(
                candidate=one.trial.candidate,
                settings=one.trial.described(),
                graph=name,
                input=candidate.dtype,
                link="expm1" if one.trial.log_target else graph.link,
                base=tuple(graph.base),
                encoding=Outputs(one.encoding.outputs, one.encoding.features),
                weight=weight,
            )
        )
    return tuple(found), graphs
