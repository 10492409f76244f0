"""What a pull request says of the next model, from verdict.json alone."""

import pytest

from slipway.report import successor

MET = {
    "metric": "rmse",
    "rival": "champion",
    "rows": 1_338,
    "challenger": 4_297.1,
    "against": 4_512.6,
    "gain": 215.5,
    "low": 101.0,
    "high": 330.0,
    "confidence": 0.9,
}
CHANGES = {
    "metric": "rmse",
    "metrics": {"rmse": [None, 0.8], "mae": [0.5, 0.25]},
    "golden": None,
    "sources": ["table.csv", "log"],
    "data": {
        "rows": [1_000, 1_500],
        "held": [200, 200],
        "boundary": [None, None],
        "median": [None, None],
        "shares": {"Y": [0.31, 0.25], "N": [0.69, 0.75]},
    },
    "model": {
        "members": [
            [{"candidate": "linear", "settings": {"penalty": 1.0}}],
            [{"candidate": "forest", "settings": {"trees": 200}}, {"candidate": "linear", "settings": {}}],
        ],
        "bytes": [1_200, 340_000],
        "threshold": [None, 0.4],
        "added": ["client_id"],
        "removed": [],
        "importance": {"bmi": [0.5, 0.1]},
    },
}
HARM = {"rows": 400, "champion": 0.2, "challenger": 0.3, "refused": False}


def lines(found: list[str]) -> list[str]:
    """The rows of the tables, and other lines."""
    return [line for text in found for line in text.splitlines() if line and not line.startswith("|---")]


def test_the_verdict_is_one_sentence_with_its_figures():
    assert successor.sentence({"figures": MET, "reasons": []}) == (
        "The challenger is better than the champion: RMSE 4,297 instead of 4,513 on the same 1,338 held-out rows, "
        "a gain of 215.5 (90\u00a0% interval 101.0 to 330.0)."
    )
    first = MET | {"rival": "baseline"}
    assert "better than a baseline that ignores all features" in successor.sentence({"figures": first})


@pytest.mark.parametrize(
    "verdict, says",
    [
        ({"reasons": ["promoted by a_person"]}, "Promoted by a\\_person."),
        ({"reasons": []}, "Nobody said why it is the champion."),
        ({}, "Nobody said why it is the champion."),
    ],
)
def test_without_figures_the_first_reason_stands_for_the_verdict(verdict, says):
    assert successor.sentence(verdict) == says


def test_names_in_reasons_are_no_markdown():
    assert successor.reasons({"reasons": ["worse for region = [x](http://y)"]}) == [
        "- worse for region = \\[x\\](http:\u200d//y)"
    ]


def test_data_before_and_after_with_the_sources_of_both():
    before = {"changes": {"sources": ["table.csv"]}}
    assert lines(successor.data(before, {"changes": CHANGES})) == [
        "|  | before | after |",
        "| rows learned from | 1,000 | 1,500 |",
        "| rows held out | 200 | the same |",
        "| share of Y | 31.0 % | 25.0 % |",
        "| share of N | 69.0 % | 75.0 % |",
        "| source | table.csv | table.csv, log |",
    ]


def test_a_target_in_numbers_and_a_split_in_time():
    pairs = {"median": [9_000.0, 9_500.5], "boundary": ["2026-01-01", "2026-06-01"]}
    found = lines(successor.data({}, {"changes": {"data": pairs}}))
    assert found[1:] == ["| held out after | 2026-01-01 | 2026-06-01 |", "| median of the target | 9,000 | 9,500 |"]


def test_model_before_and_after():
    found = successor.model({"latency_us": 11.0}, {"latency_us": 48.6, "changes": CHANGES})
    assert lines(found) == [
        "|  | before | after |",
        "| model | linear | forest + linear |",
        "| settings | penalty 1.0 | trees 200; none |",
        "| threshold | – | 0.4 |",
        "| size of what serves, in bytes | 1,200 | 340,000 |",
        "| one row, in µs, measured by each training | 11 | 49 |",
        "Fields added: client\\_id.",
        "| share of the importance | before | after |",
        "| bmi | 50.0 % | 10.0 % |",
    ]


def test_a_promotion_by_hand_takes_away_neither_source_nor_time():
    trained, byhand = {"latency_us": 11.0, "changes": CHANGES}, {"changes": CHANGES | {"sources": None}}
    for before, after in ((trained, byhand), (byhand, trained)):
        told = lines([*successor.data(before, after), *successor.model(before, after)])
        assert not [line for line in told if line.startswith(("| source", "| one row"))]
    first = lines([*successor.data({}, trained), *successor.model({}, trained)])
    assert "| source | – | table.csv, log |" in first and "| one row, in µs, measured by each training | – | 11 |" in first


def test_a_verdict_of_an_earlier_version_says_less():
    changes = {"metric": "rmse", "metrics": {"rmse": [0.9, 0.8]}, "golden": None, "against": None}
    assert successor.data({}, {"changes": changes}) == [] == successor.model({}, {"changes": changes})
    assert successor.losers({"changes": changes}) == []
    assert lines(successor.metrics(changes)) == [
        "| metric, each on its own held-out rows | before | after |",
        "| RMSE (decides) | 0.9 | 0.8 |",
    ]


def test_where_it_loses_the_worst_come_first_and_the_others_are_left_out():
    harms = [
        HARM | {"name": "region = n_e", "refused": True},
        HARM | {"name": "sex = f"},
        HARM | {"name": "x", "challenger": 0.1},
    ]
    found = successor.losers({"figures": {"harms": harms, "loss": "log_loss"}})
    assert lines(found) == [
        "| part | rows | mean log loss before | after |",
        "| region = n\\_e (refused) | 400 | 0.2000 | 0.3000 |",
        "| sex = f | 400 | 0.2000 | 0.3000 |",
    ]
    many = successor.losers({"figures": {"harms": [HARM | {"name": "x"}] * 25}})
    assert many[-1] == "… and 5 more." and "mean loss before" in many[0]


def test_whether_the_code_answers_as_recorded():
    says = "With the code of this checkout, the bundle answers all 4 of its own golden rows as recorded."
    assert successor.recorded({"rows": 4, "changed": 0, "shown": []}) == [says]
    found = lines(successor.recorded({"rows": 4, "changed": 1, "shown": [[1, 1.5, 1.0]]}))
    assert found[0].endswith("golden rows differently:") and found[-1] == "| 1 | 1.5 | 1 |"


def test_golden_predictions():
    assert successor.golden(None)[0].startswith("Golden predictions: none to compare")
    assert successor.golden({"rows": 4, "changed": 0, "shown": []}) == ["Golden predictions: all 4 unchanged."]
    found = successor.golden(
        {"rows": 4, "changed": 2, "shown": [[1, 1234.5678, 1.0], [3, "N", "Y"], [4, "N", "N", 0.51, 0.9]]}
    )
    assert lines(found) == [
        "Golden predictions: 2 of 4 change.",
        "| row | before | after |",
        "| 1 | 1234.57 | 1 |",
        "| 3 | N | Y |",
        "| 4 | N (0.5100) | N (0.9000) |",
    ]
