"""Charts in a notebook: pictures without network that take the colours of JupyterLab's theme, light or dark."""

from __future__ import annotations

from itertools import count
from typing import Any

import altair as alt

NAME = "maestro"
_number = count(1)

STYLE = """<style>
.maestro-chart { --ink: var(--jp-content-font-color1, #1b1f24); --faint: var(--jp-content-font-color2, #5d6570);
  --grid: var(--jp-border-color2, #e2e5e9); --blue: #0072b2; --orange: #d55e00; --green: #009e73; --grey: #8a929c;
  --card: var(--jp-layout-color0, #ffffff); }
[data-jp-theme-light="false"] .maestro-chart, .vscode-dark .maestro-chart { --ink: #e8ebef; --faint: #a3acb7;
  --grid: #3a424c; --blue: #56b4e9; --orange: #f28e4b; --green: #3cc9a0; --grey: #8f98a3;
  --card: var(--jp-layout-color0, #111111); }
.maestro-chart svg { max-width: 100%; height: auto; }
</style>"""


def follow_theme() -> None:
    """Show every chart of this notebook in the colours of JupyterLab's theme, from now on.

    `altair.renderers.enable("default")` goes back to altair's own way, which has tooltips and one set of colours.
    """
    alt.renderers.register(NAME, _rendered)
    alt.renderers.enable(NAME)


def _rendered(spec: dict[str, Any], **options: Any) -> dict[str, str]:
    """The picture for JupyterLab, and as plain SVG for those who show no HTML."""
    import vl_convert

    from maestro_analytics.analysis.report.html import in_page_colours

    plain = str(vl_convert.vegalite_to_svg(spec))
    clear = str(vl_convert.vegalite_to_svg(spec | {"config": spec.get("config", {}) | {"background": None}}))
    picture = in_page_colours(clear, f"maestro-{next(_number)}")
    html = f'{STYLE}<div class="maestro-chart">{picture}</div>'
    return {"text/html": html, "image/svg+xml": plain}
