"""How often the gate errs, with the code that ships: shuffled targets, years of equal challengers, and true gains.

    python bench/gate.py                # 200 tables for each metric and size, 200 years, 40 chains, 200 gains
    python bench/gate.py --runs 40      # a fifth of it
    python bench/gate.py --only shuffled years --metric f1_macro accuracy
    python bench/gate.py --examples 20  # the shipped examples: how many of 20 salts promote the first model

One cheap candidate is fitted, but for searched: there whole trainings run, a fifth as many. 60 or 268 rows are held out: a
small table, and the insurance charges. A year has twelve looks, a month apart; each month brings new rows, and challengers
that differ only by the rows that they learned from. A chain has twenty looks in a year, all at the same rows.
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np
from msgspec.structs import replace

from slipway.kinds import Task
from slipway.model.meeting import Meeting
from slipway.model.metrics import METRICS, Scored, best_threshold, value
from slipway.problem import TASK_METRICS, load_problem
from slipway.sections import Gate
from slipway.sources.samples import ROWS, SAMPLES
from slipway.table.schema import Field, Schema
from slipway.threads import cores, pin_threads
from slipway.training.comparison.search import search
from slipway.training.data.dataset import Table, read
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import CANDIDATES, Trial
from slipway.training.fitting.fitted import Fitted, baseline_scored, fit
from slipway.training.measures.goal import Goal
from slipway.training.train import train
from slipway.training.verdict.gate import Verdict, judge
from slipway.training.verdict.looks import Held, Look, Looks, past_looks

START = datetime(2026, 1, 1, tzinfo=UTC)
MONTHS = 12
CHAIN = 20
PARTS = ("shuffled", "searched", "years", "chains", "gains")
SHOWN = ("rmse", "roc_auc", "log_loss")  # in years and chains, unless others are named
FIELDS = 5
SEARCHED = 300  # rows
FURTHER = 20_000
BUDGET = 1 - Gate().confidence
ONE_LOOK = Look(BUDGET, 1, Held(0, ""))
COSTS = (1.0, 4.0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="leave out the other parts")
    parser.add_argument(
        "--metric", nargs="+", choices=METRICS, help="of shuffled targets, years and chains; gains are of rmse"
    )
    parser.add_argument("--examples", type=int, metavar="SALTS")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(cores(), initializer=pin_threads) as pool:
        if arguments.examples:
            print_examples(pool, arguments.examples)
            return
        if "shuffled" in arguments.only:
            print_shuffled(pool, arguments.runs, asked(arguments.metric or METRICS))
        if "searched" in arguments.only:
            print_searched(pool, max(1, arguments.runs // 5), asked(arguments.metric or SHOWN))
        if "years" in arguments.only:
            print_years(pool, arguments.runs, asked(arguments.metric or SHOWN))
        if "chains" in arguments.only:
            print_chains(pool, max(1, arguments.runs // 5), asked(arguments.metric or SHOWN))
        if "gains" in arguments.only:
            print_gains(pool, arguments.runs)


def asked(metrics: Collection[str]) -> list[tuple[Task, str]]:
    """Each of these metrics with each task that has it."""
    return [(task, metric) for task, known in TASK_METRICS.items() for metric in known if metric in metrics]


def rows_of(task: Task, number: int, random: np.random.Generator, strength: float = 1.0) -> Rows:
    """A table of five numbers; the target depends on three of them by `strength`."""
    columns = {f"x{each}": random.normal(size=number) for each in range(FIELDS)}
    signal = strength * (columns["x0"] + 0.6 * columns["x1"] - 0.4 * columns["x2"] ** 2)
    schema = Schema(tuple(Field(name, "number", minimum=-9.0, maximum=9.0) for name in columns))
    if task == "regression":
        return Rows(schema, columns, np.exp(0.5 * (signal + random.normal(size=number))), task, ())
    if task == "binary":
        return Rows(schema, columns, (signal + random.logistic(size=number) > 0.7).astype(np.int64), task, ("no", "yes"))
    return Rows(schema, columns, np.digitize(signal + random.logistic(size=number), [-0.5, 1.0]), task, ("a", "b", "c"))


def scored(model: Fitted, learned: Rows, held: Rows, goal: Goal) -> Scored:
    """A model's answers to the held-out rows; a declared cost chooses the threshold on the training rows."""
    threshold = 0.5 if learned.task == "binary" else None
    if goal.costs:
        threshold = best_threshold(learned.y, model.scores(learned.columns), goal.costs)
    return goal.scored(held.y, model.scores(held.columns), threshold)


def goal_of(metric: str) -> Goal:
    return Goal(metric, COSTS if metric == "cost" else None, 0)


def trial(candidate: str, task: Task) -> Trial:
    return Trial(candidate, CANDIDATES[candidate].first(task)[0])


# A shuffled target: nothing can be learned, so every promotion of a first model is an error.


def print_shuffled(pool: ProcessPoolExecutor, runs: int, metrics: list[tuple[Task, str]]) -> None:
    most = BUDGET + 2 * error(BUDGET, runs)
    print(f"A first model of a shuffled target, {runs} tables each: promoted, at most {most:.1%} expected")
    print(f"{'metric':<28} {'60 rows':>8} {'268 rows':>8}")
    for task, metric in metrics:
        found = [pool.map(partial(shuffled, task, metric, held), range(runs), chunksize=5) for held in (60, 268)]
        shares = " ".join(f"{np.mean(list(promoted)):>8.1%}" for promoted in found)
        print(f"{task:<10} {metric:<17} {shares}", flush=True)


def shuffled(task: Task, metric: str, held: int, seed: int) -> bool:
    """Whether the first model of a shuffled target is promoted."""
    random, goal = np.random.default_rng([held, seed]), goal_of(metric)
    rows = rows_of(task, 5 * held, random)
    rows = replace_target(rows, random.permutation(rows.y))
    learned, unseen = rows.take(np.arange(held, 5 * held)), rows.take(np.arange(held))
    model = fit(trial("linear", task), learned, 0)
    dummy = baseline_scored(learned, unseen.y, goal)
    return judge(goal, scored(model, learned, unseen, goal), None, dummy, Gate(), ONE_LOOK).promoted


def print_searched(pool: ProcessPoolExecutor, runs: int, metrics: list[tuple[Task, str]]) -> None:
    most = BUDGET + 2 * error(BUDGET, runs)
    print(f"\nThe same with a whole training of 300 rows, {runs} tables each: promoted, at most {most:.1%} expected")
    for task, metric in metrics:
        promoted = list(pool.map(partial(searched, task, metric), range(runs)))
        print(f"{task:<10} {metric:<17} {np.mean(promoted):>8.1%}", flush=True)


def searched(task: Task, metric: str, seed: int) -> bool:
    """Whether a training with all that it tries by default promotes the first model of a shuffled target."""
    random = np.random.default_rng(seed)
    rows = rows_of(task, SEARCHED, random)
    target = random.permutation(np.array(rows.classes)[rows.y] if rows.classes else rows.y)
    settings = {
        "name": "shuffled",
        "source": "table.csv",
        "target": "target",
        "metric": metric,
        "holdout": {"salt": str(seed)},
    }
    if metric == "cost":
        settings["costs"] = dict(zip(("false_positive", "false_negative"), COSTS))
    with tempfile.TemporaryDirectory() as place:
        with (Path(place) / "table.csv").open("w", newline="") as file:
            csv.writer(file).writerows([[*rows.columns, "target"], *zip(*rows.columns.values(), target)])
        (Path(place) / "slipway.yaml").write_text(json.dumps(settings))
        return train(load_problem(Path(place) / "slipway.yaml", environ={}), jobs=1).verdict.promoted


def replace_target(rows: Rows, y: np.ndarray) -> Rows:
    return Rows(rows.schema, rows.columns, y, rows.task, rows.classes)


# Years of twelve looks with challengers that are as good as the champion.


def print_years(pool: ProcessPoolExecutor, runs: int, metrics: list[tuple[Task, str]]) -> None:
    most = BUDGET + 2 * error(BUDGET, runs)
    print(f"\n{MONTHS} monthly challengers as good as the champion, {runs} years: those that promote one, at most {most:.1%}")
    print("expected; in brackets those that promote one which is not better on 20,000 further rows")
    for growth in (0.0, 0.05, 0.5):
        for task, metric in metrics:
            found = np.array(list(pool.map(partial(year, task, metric, growth, MONTHS), range(runs))))
            any_, worse = (found > 0).mean(axis=0)
            print(f"{task:<10} {metric:<17} {growth:>4.0%} more rows a month {any_:>8.1%} ({worse:.1%})", flush=True)


def print_chains(pool: ProcessPoolExecutor, chains: int, metrics: list[tuple[Task, str]]) -> None:
    print(
        f"\n{chains} chains of {CHAIN} challengers as good as the champion, in a year and at one hold-out: promotions of each;"
    )
    print("in brackets how many of these are not better on 20,000 further rows; then the most of one chain")
    for task, metric in metrics:
        found = np.array(list(pool.map(partial(year, task, metric, 0.0, CHAIN), range(chains))))
        each, worse = found.mean(axis=0)
        print(f"{task:<10} {metric:<17} {each:.3f} ({worse:.3f}), {found[:, 0].max()} at most", flush=True)


def year(task: Task, metric: str, growth: float, looks: int, seed: int) -> tuple[int, int]:
    """How many of equal challengers, which learned from as many rows, are promoted, and how many of these are not better."""
    random, goal, held = np.random.default_rng(seed), goal_of(metric), 134
    entries: list[dict] = []
    promoted, worse = 0, 0
    unseen, champion = rows_of(task, held, random), linear(rows_of(task, 500, random))
    for month in range(looks):
        challenger = linear(rows_of(task, 500, random))
        if month:
            unseen = joined(unseen, rows_of(task, int(growth * held), random))
        if met(goal, challenger, champion, unseen, entries, month, 365 // looks).promoted:
            further = rows_of(task, FURTHER, random)
            new, old = (value(metric, scored(*each, further, goal)) for each in (challenger, champion))
            promoted, worse = promoted + 1, worse + (METRICS[metric].sign * (new - old) <= 0)
            champion = challenger
    return promoted, worse


def linear(learned: Rows) -> tuple[Fitted, Rows]:
    return fit(trial("linear", learned.task), learned, 0), learned


def joined(rows: Rows, more: Rows) -> Rows:
    columns = {name: np.concatenate([column, more.columns[name]]) for name, column in rows.columns.items()}
    return Rows(rows.schema, columns, np.concatenate([rows.y, more.y]), rows.task, rows.classes)


def met(
    goal: Goal,
    challenger: tuple[Fitted, Rows],
    champion: tuple[Fitted, Rows],
    unseen: Rows,
    entries: list[dict],
    month: int,
    days: int = 30,
) -> Verdict:
    """The verdict of a month, or of another number of days, noted in `entries` as the journal has it."""
    now = START + timedelta(days=days * month)
    held = Held(len(unseen.y), "".join(sorted(f"{int(abs(x) * 1e9):010x}"[:10] for x in unseen.columns["x0"])[:64]))
    look = Looks(past_looks(entries, "bench"), BUDGET).next(f"{month}", "champion", held, now)
    dummy = baseline_scored(challenger[1], unseen.y, goal)
    new, old = (scored(*each, unseen, goal) for each in (challenger, champion))
    verdict = judge(goal, new, old, dummy, Gate(), look)
    noted = {"problem": "bench", "digest": f"{month}", "champion": "champion", "at": now.isoformat()}
    entries.append(noted | {"outcome": verdict.outcome, "look": look.to_json()})
    return verdict


# True gains: the champion lacks a field whose effect makes the challenger better by two standard errors on 268 rows.


def print_gains(pool: ProcessPoolExecutor, runs: int) -> None:
    print(f"\nA challenger that is better by 2 standard errors of the paired difference, {runs} runs each")
    for renewed in (1.0, 0.5, 0.3, 0.0):
        found = list(pool.map(partial(gain, renewed), range(runs)))
        promoted = np.array([[verdict.promoted for verdict in looks] for looks in found])
        shares = " ".join(f"{np.mean(promoted[:, :number].any(axis=1)):>7.1%}" for number in (1, 2, 3))
        errors = np.mean([errors_of(looks[0].meeting) for looks in found])
        print(
            f"{renewed:>4.0%} new rows at each look: promoted within 1, 2, 3 looks {shares}; gain at the first {errors:.2f}",
            flush=True,
        )


def errors_of(meeting: Meeting) -> float:
    """The gain in standard errors, by its interval."""
    return meeting.gain / ((meeting.high - meeting.low) / 2 / NormalDist().inv_cdf((1 + meeting.confidence) / 2))


def gain(renewed: float, seed: int) -> list[Verdict]:
    """The verdicts of three looks, a new fit and new rows at each; the champion stays."""
    random, goal, held = np.random.default_rng(seed), goal_of("rmse"), 268
    entries: list[dict] = []
    champion = linear(lacking(linear_rows(2_000, held, random)))
    unseen, verdicts = linear_rows(held, held, random), []
    for month in range(3):
        if month:
            fresh = int(renewed * held)
            unseen = joined(unseen.take(np.arange(fresh, held)), linear_rows(fresh, held, random))
        challenger = linear(linear_rows(2_000, held, random))
        verdicts.append(met(goal, challenger, champion, unseen, entries, month))
    return verdicts


def linear_rows(number: int, held: int, random: np.random.Generator) -> Rows:
    """Rows whose third field lowers the squared error by two standard errors of the difference on so many held-out rows.

    With unit noise e and the effect d the difference is d² x² + 2 d e x: its mean is d², its standard error 2 d / √held.
    """
    rows = rows_of("regression", number, random)
    columns = rows.columns
    y = columns["x0"] + 0.6 * columns["x1"] + 4 / np.sqrt(held) * columns["x2"] + random.normal(size=number)
    return replace_target(rows, y)


def lacking(rows: Rows) -> Rows:
    fields = tuple(field for field in rows.schema if field.name != "x2")
    return Rows(Schema(fields), {field.name: rows.columns[field.name] for field in fields}, rows.y, rows.task, rows.classes)


# The shipped examples must get a champion, however their rows are divided.


def print_examples(pool: ProcessPoolExecutor, salts: int) -> None:
    for name in SAMPLES:
        outcomes = list(pool.map(partial(example, name), range(salts)))
        print(f"{name:<10} {sum(promoted for promoted, _ in outcomes)} of {salts} first models promoted", flush=True)
        for _, reasons in filter(lambda outcome: not outcome[0], outcomes):
            print(f"  {'; '.join(reasons)}")


def example(name: str, salt: int) -> tuple[bool, tuple[str, ...]]:
    """The verdict on a first model of an example, linear as it is tried first."""
    asked = Path(__file__).parent.parent / ("" if name == "insurance" else f"examples/{name}") / "slipway.yaml"
    problem = load_problem(asked)
    with tempfile.TemporaryDirectory() as place:
        with open(Path(place, "table.csv"), "w", newline="") as table:
            csv.writer(table).writerows(SAMPLES[name](ROWS[name]))
        holdout = replace(problem.holdout, salt=f"salt {salt}")
        table = read(replace(problem, holdout=holdout, source=("table.csv",), folder=Path(place)))
    return (verdict := first_verdict(table, problem.gate)).promoted, verdict.reasons


def first_verdict(table: Table, gate: Gate) -> Verdict:
    entry = search(table.learned, [trial("linear", table.rows.task)], table.goal, 1).entries[0]
    model, unseen = fit(entry.trial, table.learned, table.goal.seed), table.unseen
    answers = table.goal.scored(unseen.y, model.scores(unseen.columns), entry.threshold)
    look = Looks((), 1 - gate.confidence).next("", None, Held(len(unseen.y), ""), START)
    dummy = baseline_scored(table.learned, unseen.y, table.goal)
    return judge(table.goal, answers, None, dummy, gate, look, table.units(table.held))


def error(share: float, runs: int) -> float:
    """The standard error of a share."""
    return float(np.sqrt(share * (1 - share) / runs))


if __name__ == "__main__":
    main()
