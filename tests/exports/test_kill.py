"""A process killed with `kill -9` at each step of an export's life, started again, and killed at the next."""

import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from maestro_analytics.exports import FileLedger, Window
from maestro_analytics.exports.adhoc import ExportResult
from maestro_analytics.exports.ledger import is_as_received
from maestro_analytics.exports.windows import cut

PROCESS = '''
"""For each step a process of its own, which runs exports and kills itself, so that nothing can catch it, when it
reaches that step. They are forks of this one, so that the imports are paid once; it has no threads and no client."""
import json, os, signal, sys, time, traceback
from datetime import datetime
from pathlib import Path
from maestro_analytics.api import Transport
from maestro_analytics.api.clock import Clock
from maestro_analytics.exports import FileLedger, Window, run_exports
from maestro_analytics.exports.progress import Polled, Receiving
from maestro_analytics.settings import Settings

url, token, folder, steps, kind, start, end = sys.argv[1:]
folder = Path(folder)

def reached(name):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)

class FastClock(Clock):
    def seconds(self):
        return time.monotonic() * 100
    def wait(self, seconds, stop=None):
        super().wait(seconds / 100, stop)

class Watched(FileLedger):
    def plan(self, kind, window, requested_at):
        record = super().plan(kind, window, requested_at)
        reached("planned, not sent")
        return record
    def asked(self, seq, export_id, asked_at):
        reached("sent, id not noted")
        super().asked(seq, export_id, asked_at)
        reached("id noted, not looked at")
    def received(self, seq, **facts):
        reached("file kept, not noted")
        super().received(seq, **facts)
        reached("file noted, not handed over")
    def empty(self, seq, completed_at):
        super().empty(seq, completed_at)
        reached("empty, not handed over")

def on_event(event):
    if isinstance(event, Polled):
        reached("looked at")
    if isinstance(event, Receiving):
        reached("half received")

def run():
    settings = Settings(api_token=token, base_url=url, cache=folder / "cache", requests_per_second=10_000,
                        requests_per_minute=100_000, _env_file=None)
    ledger = Watched(folder / "ledger.jsonl")
    window = Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
    wanted = {kind: None if kind == "groups" else [window]}
    transport = Transport(settings, clock=FastClock())
    with run_exports(transport, wanted, ledger, folder / "exports", in_flight=1, on_event=on_event) as outcomes:
        for outcome in outcomes:
            reached("handed over")

for step in json.loads(steps):
    process = os.fork()
    if process == 0:
        try:
            run()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
'''

STEPS = [
    "planned, not sent",
    "sent, id not noted",
    "id noted, not looked at",
    "looked at",
    "half received",
    "file kept, not noted",
    "file noted, not handed over",
    "handed over",
]


@pytest.mark.parametrize(
    ("kind", "steps"),
    [("groups", STEPS), ("raw", STEPS), ("raw", ["empty, not handed over"])],
    ids=["groups", "raw", "empty"],
)
def test_a_run_killed_at_every_step_finishes_without_asking_twice(kind, steps, make_sandbox, month, tmp_path):
    """Only the export whose id never came back is asked for again: the vendor has no way to find it."""
    sandbox = make_sandbox("slow-download=1", days=14, agents=3)
    week = timedelta(days=7)
    asked_for = Window(month.end - 2 * week, month.end)
    if steps != STEPS:
        asked_for = Window(asked_for.start - 2 * week, asked_for.start - week)  # before there was any data

    bounds = [asked_for.start.isoformat(), asked_for.end.isoformat()]
    arguments = [sandbox.base_url, sandbox.token, str(tmp_path), json.dumps([*steps, "no step"]), kind, *bounds]

    ran = subprocess.run([sys.executable, "-c", PROCESS, *arguments], capture_output=True, text=True, check=True)

    assert "" == ran.stderr
    assert [str(-signal.SIGKILL)] * len(steps) + ["0"] == ran.stdout.split()
    exports = FileLedger(tmp_path / "ledger.jsonl").unfinished()
    assert all(export.status == "empty" or is_as_received(export) for export in exports)
    if kind == "raw":
        assert cut([asked_for], week) == sorted(export.window for export in exports)
    assert len(sandbox.exports) == len(exports) + ("sent, id not noted" in steps)
    files = sorted(path.name for path in (tmp_path / "exports").iterdir())
    assert files == sorted(export.file.name for export in exports if export.file)
    if kind == "raw" and steps == STEPS:
        rows = ExportResult("raw", tuple(exports)).frames["total_scores"]
        assert len(sandbox.truth.total_scores) == rows.height > 0
