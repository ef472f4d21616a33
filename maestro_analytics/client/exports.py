"""One-off exports for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maestro_analytics.api import ApiClient
from maestro_analytics.errors import ExportFailed
from maestro_analytics.exports.adhoc import Calibrations, KeptExports, SingleFile, export_once, raw_parameters
from maestro_analytics.exports.events import MissedWindow, OnEvent
from maestro_analytics.exports.lifecycle import PollPace
from maestro_analytics.exports.progress import progress
from maestro_analytics.exports.windows import INITIAL_WINDOW
from maestro_analytics.kinds import AUDIT, GROUPS, RAW

if TYPE_CHECKING:
    import polars as pl

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class ExportResult:
    """Exports that were asked for once.

    Attributes:
        kept: the exports with their files, and the windows that could not be had.
    """

    kept: KeptExports

    @property
    def files(self) -> list[Path]:
        """The kept files, bytes as received."""
        return self.kept.files

    @property
    def missed(self) -> tuple[MissedWindow, ...]:
        """Windows that could not be had; only with `partial=True`."""
        return self.kept.missed

    @cached_property
    def frames(self) -> dict[str, pl.DataFrame]:
        """Table name -> its live rows, typed as in the warehouse; read from the kept files at the first use.

        Raises:
            UnreadableFile, SchemaMismatch: a file that is no export we know, lacks an identity column, or has more bad
                rows than the budget allows.
        """
        from maestro_analytics.client.frames import frames_of

        return frames_of(self.kept)


class Exports:
    """One-off exports: asked for, kept in a folder, readable as frames. `refresh` does this for a warehouse."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def raw(
        self,
        *,
        since: datetime,
        until: datetime | None = None,
        single_file: SingleFile | str | None = None,
        calibrations: Calibrations | str = Calibrations.ALL,
        grader_qa: bool = True,
        deleted: bool = True,
        to: Path | str | None = None,
        max_window: timedelta = INITIAL_WINDOW,
        partial: bool = False,
        pace: PollPace | None = None,
        on_event: OnEvent | None = None,
    ) -> ExportResult:
        """Grades that were last updated from `since` until `until`, with their sections, answers, annotations, CSAT.

        Args:
            since, until: half-open, aware; `until` is one minute ago when None.
            single_file: only this file, a plain CSV ("total_scores", ...).
            calibrations: "all", "none" or "only".
            grader_qa, deleted: whether benchmarks, and deleted answers, are included.
            to: the folder of the kept files; `downloads` in the data folder when None.
            max_window: exports cover at most so much; one that is too large for the vendor is halved anyway.
            partial: return what could be had, instead of raising, when a window could not.
            on_event: told of the progress; shown on standard error when None.

        Raises:
            InvalidArgument: a naive datetime, or an end before the start.
            ExportFailed: a window could not be had; what was received stays in the folder.

        Source: "Request A “Raw” Export".
        """
        parameters = raw_parameters(
            single_file=single_file, calibrations=calibrations, grader_qa=grader_qa, deleted=deleted
        )
        window = (since, until or self._client.clock.utc() - MINUTE)
        return self._once(RAW.name, window, parameters, to, max_window, partial, pace, on_event)

    def audit_logs(
        self,
        *,
        since: datetime,
        until: datetime | None = None,
        to: Path | str | None = None,
        max_window: timedelta = INITIAL_WINDOW,
        partial: bool = False,
        pace: PollPace | None = None,
        on_event: OnEvent | None = None,
    ) -> ExportResult:
        """What people did from `since` until `until`; arguments as for `raw`.

        Source: "Request an “audit logs” export".
        """
        window = (since, until or self._client.clock.utc() - MINUTE)
        return self._once(AUDIT.name, window, {}, to, max_window, partial, pace, on_event)

    def groups(
        self,
        *,
        include_unavailable: bool = True,
        to: Path | str | None = None,
        pace: PollPace | None = None,
        on_event: OnEvent | None = None,
    ) -> ExportResult:
        """The agent groups and who is in them, as of now. Source: "Request an “agent groups” export"."""
        parameters = {"includeUnavailable": include_unavailable}
        return self._once(GROUPS.name, None, parameters, to, INITIAL_WINDOW, False, pace, on_event)

    def _once(
        self,
        kind: str,
        window: tuple[datetime, datetime] | None,
        parameters: Mapping[str, Any],
        to: Path | str | None,
        max_window: timedelta,
        partial: bool,
        pace: PollPace | None,
        on_event: OnEvent | None,
    ) -> ExportResult:
        folder = Path(to) if to is not None else self._client.settings.data / "downloads"
        since, until = window or (None, None)
        with progress() if on_event is None else nullcontext((on_event, None)) as (show, _):
            kept = export_once(
                self._client,
                kind,
                folder,
                since=since,
                until=until,
                parameters=parameters,
                max_window=max_window,
                pace=pace,
                on_event=show,
            )
        if kept.missed and not partial:
            first = kept.missed[0]
            raise ExportFailed(
                f"{len(kept.missed)} windows could not be had, the first: {first}. What was received is in {folder}; "
                "the same call asks for the rest, and partial=True returns what there is.",
                export_id=getattr(first.error, "export_id", None),
                window=first.window,
            )
        return ExportResult(kept)
