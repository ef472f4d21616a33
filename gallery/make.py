"""Run every notebook and keep copies with their pictures here, for those who read the repository and run nothing.

`make gallery` calls it on the data of a fresh sandbox. Pictures become JPEG: every viewer of notebooks shows it, and it
takes a third of the room of PNG. Of tables the text is left out, since the HTML says the same.
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import nbformat
import vl_convert
from nbclient import NotebookClient

from maestro_analytics import Settings

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
SECONDS_FOR_A_CELL = 300


def main() -> None:
    """Write an executed copy of each notebook, or of those whose names begin like the arguments."""
    wanted = tuple(sys.argv[1:])
    data = Settings.from_environment().data.absolute()
    for source in sorted(NOTEBOOKS.glob("*.ipynb")):
        if wanted and not source.name.startswith(wanted):
            continue
        notebook = nbformat.read(source, as_version=4)
        NotebookClient(
            notebook,
            timeout=SECONDS_FOR_A_CELL,
            record_timing=False,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        ).execute()
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                _slim(output.get("data", {}), here=str(data))
        part = HERE / f".{source.name}.part"
        nbformat.write(notebook, part)
        part.replace(HERE / source.name)
        size = (HERE / source.name).stat().st_size // 1024
        sys.stdout.write(f"wrote {HERE / source.name} ({size} KB)\n")


def _slim(data: dict[str, object], *, here: str) -> None:
    """One form of each output: JPEG for a picture, HTML for a table; without the data folder of this machine."""
    svg = data.pop("image/svg+xml", None)
    if svg is not None:
        data.clear()
        data["image/jpeg"] = base64.b64encode(vl_convert.svg_to_jpeg(str(svg), scale=1.0, quality=75)).decode()
    elif "text/html" in data:
        data.pop("text/plain", None)
        data["text/html"] = str(data["text/html"]).replace(here, "data/sandbox")


if __name__ == "__main__":
    main()
