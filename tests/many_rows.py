"""Rows like those of the small bundles, as many as a test wants."""

import random
from typing import Any


def many_rows(count: int) -> list[dict[str, Any]]:
    """The same ones each time; some cells are missing."""
    draw = random.Random(7)
    return [
        {
            "age": draw.randint(18, 64),
            "bmi": None if draw.random() < 0.1 else draw.uniform(15.96, 53.13),
            "smoker": draw.choice(["no", "yes"]),
            "joined": f"20{draw.randint(20, 23)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        }
        for _ in range(count)
    ]
