"""Settings from environment variables and `.env`. No other module reads `os.environ`."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from maestro_analytics.errors import SettingsError

PREFIX = "maestro_"
VENDOR_BASE_URL = "https://app.maestroqa.com/api/v1"
EXAMPLE_TICKET_URL = "zendesk=https://acme.zendesk.com/agent/tickets/{gradable_id}"


class DataFolder(BaseModel):
    """Where the data lies: the one setting that can be told where another cannot be used.

    What is not given comes from the environment, then from the file `_env_file` in the working folder.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)

    data: Path = Path("data")

    def __init__(self, *, _env_file: str | None = ".env", **given: Any) -> None:
        super().__init__(**{**_variables(type(self).model_fields, _env_file), **given})

    @field_validator("data", "cache", "api_token_file", check_fields=False)
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        """Replace a leading `~` by the home folder."""
        if value is None or not str(value).startswith("~"):
            return value
        try:
            return value.expanduser()
        except RuntimeError:
            raise ValueError(
                f"starts with ~, and this user has no home folder: write the whole path of {value}"
            ) from None

    @property
    def database(self) -> Path:
        """The published database."""
        return self.data.absolute() / "maestro.duckdb"

    @property
    def sandbox_database(self) -> Path:
        """The database that `refresh --sandbox` publishes, in a folder of its own."""
        return self.data.absolute() / "sandbox" / "maestro.duckdb"


class Settings(DataFolder):
    """Settings of one account; see "Settings" in the README for each.

    Made with `Settings.from_environment()` at the edge, with `Settings(api_token="...", ...)` in tests.
    A token file is read when the settings are made, so that a token never needs to be in the environment.
    """

    api_token: SecretStr | None = None
    api_token_file: Path | None = None
    base_url: str = VENDOR_BASE_URL
    requests_per_second: int = Field(default=9, gt=0)
    requests_per_minute: int = Field(default=95, gt=0)
    export_timeout: float = Field(default=1800.0, gt=0, description="seconds")
    overlap_minutes: float = Field(default=60.0, ge=0, description="covered time that a refresh fetches again")
    cache: Path = Field(default_factory=lambda: default_cache())
    ticket_urls: dict[str, str] = Field(
        default_factory=dict, description="address of a ticket by source, in lower case"
    )

    @field_validator("data", "cache")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        """A folder that exists, or that can be made below one."""
        with suppress(PermissionError):  # what reads or writes there will say it
            for path in (value.absolute(), *value.absolute().parents):
                if path.exists() and not path.is_dir():
                    raise ValueError(f"is {value}, and {path} is a file: name a folder")
        return value

    @field_validator("base_url")
    @classmethod
    def _https_beyond_loopback(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("is not the URL of an API: write https://HOST/api/v1")
        if parts.username or parts.password:
            raise ValueError("must not carry a user or password")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must be https: the token would travel in the clear (http is for loopback only)")
        try:
            _ = parts.port
        except ValueError:
            raise ValueError("has an invalid port") from None
        return value.rstrip("/")

    @field_validator("ticket_urls", mode="before")
    @classmethod
    def _address_of_each_source(cls, value: object) -> object:
        """`zendesk=https://acme.zendesk.com/agent/tickets/{gradable_id};...` as source (in lower case) -> address."""
        if not isinstance(value, str):
            return value
        addresses: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in value.split(";"))):
            source, equals, address = (piece.strip() for piece in part.partition("="))
            if not (source and equals and address):
                raise ValueError(f"has {part!r}, which is not SOURCE=ADDRESS; write {EXAMPLE_TICKET_URL}")
            if source.casefold() in addresses:
                raise ValueError(f"names the source {source!r} twice")
            addresses[source.casefold()] = _ticket_address(source, address)
        return addresses

    @model_validator(mode="after")
    def _token_from_file(self) -> Self:
        if self.api_token is None and self.api_token_file is not None:
            try:
                token = self.api_token_file.read_text(encoding="utf-8-sig").strip()
            except OSError as error:
                raise ValueError(
                    f"MAESTRO_API_TOKEN_FILE {self.api_token_file} cannot be read: {error.strerror}"
                ) from None
            except UnicodeDecodeError:
                raise ValueError(f"MAESTRO_API_TOKEN_FILE {self.api_token_file} is not a text file in UTF-8") from None
            if not token:
                raise ValueError(f"MAESTRO_API_TOKEN_FILE {self.api_token_file} is empty: write the token into it")
            object.__setattr__(self, "api_token", SecretStr(token))
        if self.api_token is not None:
            token = self.api_token.get_secret_value().strip()
            if not token.isascii() or any(not char.isprintable() or char.isspace() for char in token):
                raise ValueError("the token holds characters that no HTTP header can carry: copy it again")
            object.__setattr__(self, "api_token", SecretStr(token) if token else None)
        return self

    @classmethod
    def from_environment(cls, **overrides: object) -> Settings:
        """Settings from environment variables, then `.env` in the working folder; `overrides` win.

        Raises:
            SettingsError: a variable has a value that cannot be used; the message never shows the token.
        """
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**given)  # type: ignore[arg-type]
        except ValidationError as error:
            problems = "; ".join(
                (f"MAESTRO_{'_'.join(str(part) for part in problem['loc']).upper()} " if problem["loc"] else "")
                + problem["msg"].removeprefix("Value error, ")
                for problem in error.errors(include_input=False, include_url=False)
            )
            raise SettingsError(f"{problems}. See `maestro-analytics doctor`.") from None

    @property
    def token(self) -> str:
        """The token as plain text, for the request header.

        Raises:
            SettingsError: there is none.
        """
        if self.api_token is None:
            raise SettingsError(
                "no API token: set MAESTRO_API_TOKEN or MAESTRO_API_TOKEN_FILE (create a token under Other Settings > "
                "API Tokens), or try `maestro-analytics refresh --sandbox`, which needs none."
            )
        return self.api_token.get_secret_value()

    @property
    def host(self) -> str:
        """The host of the API, without a port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        """The port of the API on its host."""
        parts = urlsplit(self.base_url)
        return parts.port or (443 if parts.scheme == "https" else 80)


def _variables(settings: Iterable[str], env_file: str | None) -> dict[str, str]:
    """Setting -> text of those whose variable is set and not empty, in whatever case; the environment wins."""
    in_file: Mapping[str, str | None] = {}
    if env_file is not None and Path(env_file).exists():
        from dotenv import dotenv_values  # Most folders have no such file.

        in_file = dotenv_values(env_file, encoding="utf-8-sig")
    texts = {name.lower(): text for source in (in_file, os.environ) for name, text in source.items() if text}
    return {name: texts[PREFIX + name] for name in settings if PREFIX + name in texts}


def environment_with(**changed: str) -> dict[str, str]:
    """This process's environment with some variables changed, for a program that is started from it."""
    return {**os.environ, **changed}


def _ticket_address(source: str, address: str) -> str:
    """The address as it is, when it leads to a ticket and to nothing else."""
    if not address.isascii() or any(letter.isspace() or not letter.isprintable() for letter in address):
        raise ValueError(f"has an address of {source!r} with characters that no address has")
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise ValueError(f"has an address of {source!r} that is not one: {address!r}") from None
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"has an address of {source!r} that does not begin with https://HOST/: {address!r}")
    if parts.username or parts.password:
        raise ValueError(f"has an address of {source!r} with a user or password in it")
    behind_the_host = f"{parts.path}?{parts.query}#{parts.fragment}"
    named = address.count("{gradable_id}")
    if not named or behind_the_host.count("{gradable_id}") != named or address.count("{") != named:
        raise ValueError(
            f"has an address of {source!r} that needs {{gradable_id}} behind the host, and no other braces: {address!r}"
        )
    return address


def default_cache() -> Path:
    """The user's cache folder; below the folder for temporary files where the user has no home folder."""
    with suppress(RuntimeError):  # newer versions of platformdirs raise it, older ones return a relative path
        folder = user_cache_path("maestro-analytics")
        if folder.is_absolute():
            return folder
    return Path(tempfile.gettempdir()) / f"maestro-analytics-{os.getuid()}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
