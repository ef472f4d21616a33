"""`mcp`: the answers for assistants."""

from __future__ import annotations

import typer

from maestro_analytics.extras import require


def register(app: typer.Typer) -> None:
    """Add `mcp`."""
    app.command("mcp")(mcp)


def mcp() -> None:
    """Serve the answers to an assistant over the Model Context Protocol, on standard input and output.

    Read-only: a tool for each answer with its filters, `sql` on the published file, and `describe`. Give your
    assistant this command, and the data folder in its environment:

    \b
      {"command": "maestro-analytics", "args": ["mcp"], "env": {"MAESTRO_DATA": "/srv/qa/data"}}

    \b
    Example:
      maestro-analytics mcp
    """
    require("mcp", for_what="`mcp`")
    from maestro_analytics import warehouse

    with warehouse.open(is_restricted=True) as store:
        from maestro_analytics.assistant import serve

        serve(store)
