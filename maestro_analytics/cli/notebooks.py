"""The notebooks that come with the package, and a copy of them to work in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from maestro_analytics.errors import InvalidArgument

_PACKAGE = Path(__file__).parents[1]
RECORD = ".copied-notebooks"


def notebooks_folder() -> Path:
    """Where the notebooks are: in the package when it is installed, beside it in a checkout."""
    installed = _PACKAGE / "_notebooks"
    return installed if installed.is_dir() else _PACKAGE.parent / "notebooks"


def copy_notebooks(folder: Path) -> Iterator[str]:
    """Copy every notebook to `folder` and say what was done, a line each.

    A notebook that is there already is replaced only when it is still what an earlier copy wrote: running it in
    JupyterLab, or editing it, makes it yours.

    Raises:
        InvalidArgument: `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidArgument(f"{folder} is a file: name a folder for the notebooks.")
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    copied = dict(line.split("  ", 1)[::-1] for line in lines if "  " in line)
    for source in sorted(notebooks_folder().glob("*.ipynb")):
        target = folder / source.name
        ours = source.read_bytes()
        there = target.read_bytes() if target.exists() else None
        if there is not None and there != ours and _digest(there) != copied.get(source.name):
            yield f"kept {target}: you changed it (the new one is {source})"
            continue
        if there != ours:
            target.write_bytes(ours)
        copied[source.name] = _digest(ours)
        yield f"{'up to date' if there == ours else 'wrote'} {target}"
    record.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(copied.items())), encoding="utf-8")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
