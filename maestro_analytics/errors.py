"""The errors that this package raises, as one tree of classes.

    MaestroError
     +- SettingsError            fix your environment, nothing was tried
     |   +- DiskFault            a file of this machine cannot be written
     |   +- TokenRefused         401/403: the token is invalid or expired
     |   +- AnotherAccount       the data folder holds another account's data
     +- InvalidArgument          a value refused before anything was sent
     +- RequestRefused           400/404/409/422: asking again gives the same answer
     +- KindRefused              403/404 of one kind of data; the other kinds go on
     +- Cancelled                a stop event was set
     +- TryAgain                 429/5xx/time-outs, after our own retries are spent
     |   +- Unreachable          no answer at all for two minutes
     |   +- OutcomeUnknown       a write was sent and its reply was lost
     +- ExportFailed             errored, never ended, or too large
     +- DownloadFailed           the file of a complete export could not be downloaded
     +- UploadFailed             the bytes of an attachment could not be sent
     +- UnreadableFile           bytes that are no export we know; the file is kept
     |   +- SchemaMismatch       an identity column is missing
     |       +- TooManyBadRows   more bad rows than the budget allows; the frame of refusals is on it
     +- InconsistentPages        a list kept changing while its pages were read
     +- AnotherRefresh           the master database is in use
     +- EmptyStore               nothing has been refreshed yet
     +- LakeError                a lake cannot be read or written
     |   +- NotALake             a path that holds none
      |   +- LakeBusy             another writer published the same tables meanwhile
     |   +- EngineMissing        no Java, or no PySpark
     +- UnknownName              a team, rubric, metric, ... that the data does not have

Each says what happened, to what, and what to do next, and carries its facts as attributes. None carries
a token or the query of a presigned URL.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


class MaestroError(Exception):
    """Base class of all errors that this package raises on purpose."""

    def as_json(self) -> dict[str, str]:
        """The error as the objects of `--json` tell it."""
        return {"error": type(self).__name__, "message": str(self)}


class SettingsError(MaestroError):
    """A setting, or the machine, has to be corrected before anything can run."""


class NoApi(SettingsError):
    """The base URL leads to a host, but not to its API."""

    def __init__(self, seen: str) -> None:
        super().__init__(
            f"{seen}: there is no API at this base URL. MAESTRO_BASE_URL must end in /api/v1, as in "
            "https://app.maestroqa.com/api/v1."
        )


class InvalidArgument(MaestroError, ValueError):
    """A value was refused before anything was sent or read."""


class TokenRefused(SettingsError):
    """The vendor answered 401 or 403."""

    def __init__(self, *, host: str, status: int) -> None:
        self.host = host
        self.status = status
        super().__init__(
            f"{status} from {host}: the API token was refused. Tokens expire after 90 days: create one under "
            "Other Settings > API Tokens, then set MAESTRO_API_TOKEN or MAESTRO_API_TOKEN_FILE."
        )


class AnotherAccount(SettingsError):
    """A token or a file is of another account than the data folder. Nothing of it landed."""


class RequestRefused(MaestroError):
    """The vendor refused a request (4xx); the same request would be refused again."""

    def __init__(self, *, status: int, endpoint: str, vendor_message: str) -> None:
        self.status = status
        self.endpoint = endpoint
        self.vendor_message = vendor_message
        advice = {
            404: "Check the identifier.",
            409: "A value that must be unique is in use: choose another, or update the record that has it.",
        }.get(status, "Correct the parameter that the message names.")
        super().__init__(f"{status} from {endpoint}: {vendor_message or 'no message'}. {advice}")


class KindRefused(MaestroError):
    """The vendor refuses one kind of data (403), or has no such endpoint (404)."""

    def __init__(self, kind: str, *, host: str, status: int) -> None:
        self.kind = kind
        self.host = host
        self.status = status
        what = "this token may not use it" if status == 403 else "there is no such endpoint"
        super().__init__(
            f"{status} from {host} for {kind}: {what}. Ask the administrator of the account for the permission, or "
            "leave it out with --only."
        )


class Cancelled(MaestroError):
    """The caller's stop event was set. What had landed stays."""

    def __init__(self, message: str = "cancelled; what had landed stays") -> None:
        super().__init__(message)


class TryAgain(MaestroError):
    """The vendor could not answer, and all retries were used."""

    def __init__(
        self,
        message: str,
        *,
        endpoint: str,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class Unreachable(TryAgain):
    """No answer at all for as long as we wait (two minutes)."""


class OutcomeUnknown(TryAgain):
    """A write left this machine and its reply was lost: it may or may not have been carried out."""


class ExportFailed(MaestroError):
    """An export ended `errored`, or did not end in time."""

    def __init__(self, message: str, *, export_id: str | None, window: object | None = None) -> None:
        self.export_id = export_id
        self.window = window
        super().__init__(message)


class DownloadFailed(MaestroError):
    """The file of a complete export could not be downloaded, or is not what was announced."""

    def __init__(self, message: str, *, export_id: str | None = None) -> None:
        self.export_id = export_id
        super().__init__(message)


class DiskFault(SettingsError):
    """A file could not be written on this machine: the disk is full, or the folder may not be written."""

    def __init__(self, *, path: Path | None, reason: str) -> None:
        self.path = path
        super().__init__(
            f"{path or 'a file'} cannot be written: {reason}. Free space or correct the permissions, then run the same "
            "command again; what had landed stays."
        )


class UploadFailed(MaestroError):
    """An attachment was created, and the bytes of its file could not be sent."""


class UnreadableFile(MaestroError):
    """A file that is not a known export. It is kept."""

    def __init__(self, message: str, *, path: Path) -> None:
        self.path = path
        super().__init__(message)


class SchemaMismatch(UnreadableFile):
    """A file lacks an identity column, or has more bad rows than the budget allows."""

    def __init__(self, message: str, *, path: Path, failures: pl.DataFrame | None = None) -> None:
        self.failures = failures
        super().__init__(message, path=path)


class TooManyBadRows(SchemaMismatch):
    """A file, or a list, has more bad rows than the budget allows: nothing of it landed."""


class InconsistentPages(MaestroError):
    """A list changed during every pass over its pages."""


class AnotherRefresh(MaestroError):
    """Another process is writing to this data folder."""

    def __init__(self, *, folder: Path, pid: int | None, command: str | None = None) -> None:
        self.folder = folder
        self.pid = pid
        self.command = command
        who = f"process {pid}" + (f" ({command})" if command else "") if pid else "another process"
        super().__init__(
            f"{who} is working on {folder}. Wait for it, or stop it; what it had landed stays. "
            "The published database can be read meanwhile."
        )


class EmptyStore(MaestroError):
    """There is no published database yet."""

    def __init__(self, *, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} does not exist: nothing has been refreshed yet. Run `maestro-analytics refresh` "
            "(or `maestro-analytics refresh --sandbox` to try it without an account)."
        )


class LakeError(MaestroError):
    """A lake cannot be read or written."""


class NotALake(LakeError, InvalidArgument):
    """There is no lake at a path that this version reads."""

    def __init__(
        self,
        *,
        place: str,
        reason: str,
        remedy: str = (
            "`maestro-analytics lake write --to PATH` writes one; open its folder, or the folder of one account in it."
        ),
    ) -> None:
        self.place = place
        super().__init__(f"{place} is not a lake: {reason}. {remedy}")


class LakeBusy(LakeError, AnotherRefresh):
    """Another writer published the same tables meanwhile. Nothing of this write was published, nothing is lost."""

    def __init__(self, *, place: str) -> None:
        self.place = place
        MaestroError.__init__(
            self,
            f"another writer has written to {place} meanwhile. Nothing was published by this one: run it again "
            "afterwards. Machines that hold different periods of one account write with --share NAME each.",
        )


class EngineMissing(LakeError, SettingsError):
    """Spark cannot run here."""


class UnknownName(InvalidArgument):
    """A name that the data does not have; the message lists the nearest names."""

    def __init__(self, *, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        names = sorted(set(known))
        self.nearest = nearest_names(name, names)
        if self.nearest:
            hint = "Nearest: " + ", ".join(repr(near) for near in self.nearest) + "."
        elif not names:
            hint = f"The data has no {kind} at all."
        elif len(names) <= MOST_LISTED:
            hint = f"Known: {', '.join(repr(known_name) for known_name in names)}."
        else:
            hint = f"None of the {len(names)} that are known is near."
        super().__init__(f"no {kind} is called {name!r}. {hint}")


MOST_LISTED = 8
"""So many names are listed where none is near; of more only the number is given."""


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """At most three of `names` that somebody may have meant, whatever the case; the nearest first.

    Where no whole name is near, a word of it may be: "Suport" means "Support quality, all channels".
    """
    spelled: dict[str, list[str]] = {}
    for known in names:
        spelled.setdefault(known.casefold(), []).append(known)
    near = get_close_matches(name.casefold(), spelled, n=3, cutoff=0.4)
    if not near:
        words: dict[str, list[str]] = {}
        for known in spelled:
            for word in known.split():
                words.setdefault(word, []).append(known)
        near = [known for word in get_close_matches(name.casefold(), words, n=3, cutoff=0.7) for known in words[word]]
    return [known for each in dict.fromkeys(near) for known in spelled[each]][:3]
