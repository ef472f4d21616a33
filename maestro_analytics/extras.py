"""Optional dependencies: which extra of the package installs what."""

from __future__ import annotations

from importlib.util import find_spec

from maestro_analytics.errors import SettingsError

PACKAGES = {
    "lab": ("jupyterlab",),
    "lake": ("deltalake", "sqlglot"),
    "spark": ("pyspark", "deltalake", "sqlglot"),
    "excel": ("xlsxwriter",),
    "mcp": ("anyio", "mcp"),
    "pandas": ("pandas",),
}


def require(extra: str, *, for_what: str) -> None:
    """Check that the packages of an extra are installed.

    Args:
        extra: a name in `PACKAGES`.
        for_what: what needs it, as the first word of the message: "`lake write`".

    Raises:
        SettingsError: a package is missing. The message has the command that installs it.
    """
    missing = [name for name in PACKAGES[extra] if find_spec(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise SettingsError(
            f"{for_what} needs {' and '.join(missing)}, which {are} not installed: "
            f"run `pip install 'maestro-analytics[{extra}]'`."
        )
