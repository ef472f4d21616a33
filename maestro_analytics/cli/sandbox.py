"""Commands of `sandbox`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NoReturn

import typer

from maestro_analytics.cli.commands import command_group


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    group = command_group(
        "sandbox",
        help="The vendor's API on this machine: real HTTP, a believable contact centre, no account.",
        examples=("sandbox serve --port 8765", "sandbox faults"),
    )
    group.command("serve")(serve)
    app.add_typer(group)

    @group.command("faults")
    def faults() -> None:
        """List what can be made to go wrong with `sandbox serve --fault NAME`.

        \b
        Example:
          maestro-analytics sandbox faults
        """
        from maestro_analytics.sandbox import FAULTS

        for name, (number, meaning) in FAULTS.items():
            typer.echo(f"{name:<24} {meaning} (N is {number})")


def serve(
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port of the API; 0 takes a free one.")] = 0,
    agents: Annotated[int, typer.Option(metavar="N", min=1, help="People in the contact centre.")] = 24,
    days: Annotated[int, typer.Option(metavar="N", min=1, help="Days of history.")] = 90,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed gives the same centre.")] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Make something go wrong; see `sandbox faults`. Repeatable."),
    ] = None,
    habit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Make the centre harder to read; `all`, or see the sandbox's README. Repeatable."
        ),
    ] = None,
    now: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"],
            help="A fixed moment, UTC. Default: real time, running.",
        ),
    ] = None,
    grades_per_week: Annotated[
        float,
        typer.Option(metavar="N", min=0.1, max=700, help="Grades of each agent in a week: how much data there is."),
    ] = 5.0,
    export_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Seconds that an export takes at least.")
    ] = 1.0,
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="Take any number of requests a second and minute.")
    ] = False,
) -> None:
    """Serve the sandbox until interrupted: one line with the base URL and the token, then silence.

    \b
    Examples:
      maestro-analytics sandbox serve --port 8765
      maestro-analytics sandbox serve --agents 200 --days 365 --fault expired-url --fault errored-above=2000
    """
    from datetime import UTC
    from threading import Event

    from maestro_analytics.sandbox import Sandbox, UnknownFault, UnknownHabit

    try:
        sandbox = Sandbox(
            seed=seed,
            agents=agents,
            days=days,
            now=now.replace(tzinfo=UTC) if now else None,
            running=now is None,
            grades_per_agent_week=grades_per_week,
            faults=fault or (),
            habits="all" if habit == ["all"] else habit or (),
            requests_per_second=None if no_limits else 10,
            requests_per_minute=None if no_limits else 100,
            export_seconds=export_seconds,
            port=port,
        )
    except (UnknownFault, UnknownHabit) as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"port {port} cannot be used: {(error.strerror or str(error)).lower()}")
    with sandbox:
        typer.echo(f"{sandbox.base_url} {sandbox.token}")
        try:
            Event().wait()
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def _refuse(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
