"""The room's README: its session works as printed, its Python runs, and its table of faults is complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

from maestro_analytics.sandbox import FAULTS
from tests.commands import COMMAND

README = (Path(__file__).parents[2] / "maestro_analytics/sandbox/README.md").read_text(encoding="utf-8")


def session():
    """The commands of the console block, each with the output that is printed below it."""
    block = re.search(r"```console\n(.*?)```", README, re.DOTALL)[1]
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append([line[2:], []])
        elif steps[-1][0].endswith("\\"):
            steps[-1][0] += "\n" + line
        else:
            steps[-1][1].append(line)
    return [(command, "\n".join(output)) for command, output in steps]


def test_the_session_of_the_readme_works_as_printed(tmp_path):
    (serve, line), (variables, _), *steps, (last, _) = session()
    assert last == "kill %1"
    assert variables == "URL={} TOKEN={}".format(*line.split())
    options = serve.removesuffix(" &").replace("--port 8765", "--port 0").split()[1:]
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        url, token = server.stdout.readline().split()
        assert token == line.split()[1]
        environment = os.environ | {"URL": url, "TOKEN": token}
        try:
            for command, printed in steps:
                shown = subprocess.run(
                    ["bash", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
                ).stdout
                assert shown.rstrip("\n") == printed, command
        finally:
            server.kill()
    assert len(steps) > 5


def test_the_python_block_runs():
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        subprocess.run([sys.executable, "-W", "error", "-c", block], check=True)


def test_every_fault_is_in_the_table():
    assert re.findall(r"^\| `([a-z0-9-]+)` \| (\d+) \| (.*) \|$", README, re.MULTILINE) == [
        (name, str(number), meaning) for name, (number, meaning) in FAULTS.items()
    ]
