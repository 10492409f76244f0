"""The frame of a page that is a file of its own: no script, nothing from elsewhere."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from slipway.report.look import LOOK


def templates_of(package: str) -> Environment:
    """The templates of HTML in a package."""
    loader = PackageLoader(package)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


_templates = templates_of("slipway.report")


def framed(title: str, body: Markup, styles: str = "") -> bytes:
    """The file.

    Parameters
    ----------
    title : str
        Of the window.
    body : Markup
    styles : str, optional
        CSS beyond the look that all pages share.
    """
    look = Markup(LOOK.read_text(encoding="utf-8"))
    page = _templates.get_template("standalone.html")
    return page.render(title=title, body=body, look=look, styles=Markup(styles)).encode()
