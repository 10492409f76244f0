"""The headline as a picture: answers per second of each service as bars, a block for each model; SVG in light and dark."""

from html import escape

from models import MODELS
from results import Results, Spread
from services import SERVICES

WIDTH, NAMES, AMOUNTS = 760, 290, 90
LINE, BLOCK, BAR = 24, 46, 14
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #17232b } .head { font-weight: 600 } .quiet { fill: #52616c }
.bar { fill: #7d8d98 } .ours { fill: #2a6787 } .whisker { stroke: #17232b; stroke-width: 1.5 } .ground { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #e5ecf0 } .quiet { fill: #a3b3bd } .bar { fill: #5d6e7a } .ours { fill: #86c1e0 }
  .whisker { stroke: #e5ecf0 } .ground { fill: #182128 }
}
"""


def picture(results: Results) -> str:
    """SVG text; bars are medians, whiskers the least and the most of the turns."""
    drawn: list[str] = []
    top = 12
    for model in MODELS:
        found = {name: results.spread(model, name, "keep-alive", "rate") for name in SERVICES}
        measured = {name: spread for name, spread in found.items() if spread}
        if measured:
            drawn += _block(model, measured, top)
            top += BLOCK + LINE * len(measured)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" role="img">\n'
        f"<title>Answers per second of each service</title>\n<style>{STYLE}</style>\n"
        f'<rect class="ground" width="{WIDTH}" height="{top}" rx="8"/>'
    )
    return "\n".join([head, *drawn, "</svg>"]) + "\n"


def _block(model: str, measured: dict[str, Spread], top: int) -> list[str]:
    most = max(spread.high for spread in measured.values())
    room = WIDTH - NAMES - AMOUNTS
    drawn = [f'<text class="head" x="16" y="{top + 20}">{escape(model)}: answers/s, 16 keep-alive clients, single rows</text>']
    for place, (name, spread) in enumerate(sorted(measured.items(), key=lambda one: -one[1].median)):
        y = top + 34 + place * LINE
        middle = y + BAR / 2
        low, end, high = (NAMES + room * value / most for value in (spread.low, spread.median, spread.high))
        kind = "bar ours" if name == "slipway" else "bar"
        drawn += [
            f'<text x="{NAMES - 10}" y="{y + 11}" text-anchor="end">{escape(SERVICES[name].title)}</text>',
            f'<rect class="{kind}" x="{NAMES}" y="{y}" width="{max(end - NAMES, 1):.1f}" height="{BAR}" rx="2"/>',
            f'<path class="whisker" d="M{low:.1f} {middle:g}H{high:.1f}"/>',
            f'<text class="quiet" x="{high + 8:.1f}" y="{y + 11}">{spread.median:,.0f}</text>',
        ]
    return drawn
