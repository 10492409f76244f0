"""What was measured, as a table: per table the mean of each tool, Slipway's paired advantage, ranks and seconds."""

import numpy as np
import pandas as pd

GREATER = {"roc_auc"}


def printed(results: list[dict], version: str) -> str:
    """Markdown; of Slipway only the results of this version."""
    frame = pd.DataFrame([one for one in results if one["tool"] != "Slipway" or one["version"] == version])
    if "value" not in frame:
        return "nothing was measured yet"
    blocks = [_of_table(name, part) for name, part in frame.groupby("table", sort=False)]
    return "\n\n".join([*blocks, _ranks(frame)])


def _wide(part: pd.DataFrame, column: str) -> pd.DataFrame:
    return part.pivot_table(index="repeat", columns="tool", values=column, aggfunc="last", sort=False)


def _of_table(name: str, part: pd.DataFrame) -> str:
    values, seconds = _wide(part, "value"), _wide(part, "seconds")
    metric = part["metric"].dropna().iloc[0]
    sign = 1 if metric in GREATER else -1
    lines = [
        f"### {name}: {metric}, {'more' if sign > 0 else 'less'} is better",
        "| tool | mean | repeats | Slipway's advantage ± standard error, paired | seconds |",
        "|---|---|---|---|---|",
    ]
    for tool in values:
        told = ""
        if tool != "Slipway" and "Slipway" in values:
            gain = (sign * (values["Slipway"] - values[tool])).dropna()
            error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
            told = f"{gain.mean():.4g} ± {error:.2g}"
        lines.append(
            f"| {tool} | {values[tool].mean():.5g} | {values[tool].notna().sum()} | {told} | {seconds[tool].median():.0f} |"
        )
    return "\n".join(lines)


def _ranks(frame: pd.DataFrame) -> str:
    """Ranks of the means, on the tables and repeats that all tools have."""
    found = []
    for _, part in frame.groupby("table", sort=False):
        values = _wide(part, "value").dropna()
        sign = -1 if part["metric"].dropna().iloc[0] in GREATER else 1
        found.append((sign * values.mean()).rank())
    ranks = pd.DataFrame(found)
    lines = ["### mean rank", "| tool | mean rank | tables |", "|---|---|---|"]
    for tool in ranks.mean().sort_values().index:
        lines.append(f"| {tool} | {ranks[tool].mean():.2f} | {ranks[tool].notna().sum()} |")
    return "\n".join(lines)
