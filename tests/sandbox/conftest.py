"""A sandbox to talk to, and a reader of its files that knows only Python's csv module and export-files.md."""

import csv
import io
import re
import time
import zipfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import requests

from maestro_analytics.sandbox import Sandbox

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVERYTHING = {"includeCalibrations": "all", "includeGraderQA": True, "includeDeleted": True}


class Talk:
    """A conversation with a sandbox, as a client would hold it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.headers["apitoken"] = sandbox.token

    def get(self, path, **query):
        return self.session.get(self.sandbox.base_url + path, params=query, timeout=20)

    def post(self, path, **body):
        return self.session.post(self.sandbox.base_url + path, json=body, timeout=20)

    def patch(self, path, **body):
        return self.session.patch(self.sandbox.base_url + path, json=body, timeout=20)

    def delete(self, path):
        return self.session.delete(self.sandbox.base_url + path, timeout=20)

    def ask(self, path="/request-raw-export", start=None, end=None, **options):
        """Ask for an export; the whole history when no window is given."""
        if path != "/request-groups-export":
            start = start or self.sandbox.truth.start - timedelta(days=1)
            end = end or self.sandbox.now + timedelta(days=1)
            options |= {"startDate": f"{start:%Y-%m-%dT%H:%M:%SZ}", "endDate": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        reply = self.post(path, **options)
        assert reply.status_code == 200, reply.text
        return reply.json()["exportId"]

    def wait(self, export_id):
        """Poll until the export has ended: its last answer."""
        while (answer := self.get(f"/export-data/{export_id}").json())["status"] in ("requested", "in_progress"):
            time.sleep(0.005)
        return answer

    def poll(self, export_id, times):
        """The first answers that say something else than that the export is being made."""
        return [self.wait(export_id) for _ in range(times)]

    def export(self, *args, **options):
        """The bytes of an export; b"" when there is nothing to download."""
        answer = self.wait(self.ask(*args, **options))
        assert answer["status"] == "complete"
        return requests.get(answer["dataUrl"], timeout=20).content if answer["dataUrl"] else b""

    def raw(self, start=None, end=None, **options):
        """The tables of a raw export: name -> rows as text."""
        return unzipped(self.export("/request-raw-export", start, end, **options))


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            name.rpartition("/")[2].removesuffix(".csv"): rows_of(archive.read(name)) for name in archive.namelist()
        }


def rows_of(content):
    """The rows of a CSV file as text; a field too many or too few is an error."""
    text = content.decode("utf-8-sig")
    header, *rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


FREE_TEXT = {"comment", "question", "selected_text", "csat_comment", "description"}
MOMENTS = re.compile(r"date_.*|ticket_created_at|time_stamp")
NUMBERS = re.compile(r".*_score|section_weight|total_grading_time")


WORDS = {"good", "bad", "Offered"}
"""What a csat_score is where the helpdesk has its own words."""


def value_of(name, text):
    """What a field means, by export-files.md."""
    if name in FREE_TEXT:
        return text
    if text in ("", "Unknown", "N/A"):
        return None
    if MOMENTS.fullmatch(name):
        bare = text.removeprefix('="').removesuffix('"').removesuffix("Z").replace("T", " ")
        return datetime.fromisoformat(bare).replace(tzinfo=UTC)
    if NUMBERS.fullmatch(name):
        if ":" in text:
            hours, minutes, seconds = text.split(":")
            return float(int(hours) * 3600 + int(minutes) * 60 + int(seconds))
        return float(text)
    if name == "agent_ids":
        return [agent_id.strip() for agent_id in text.split(",")]
    if name in ("available", "is_deleted"):
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    return text


def values_of(rows):
    """The rows as values; the word of a csat_score is its csat_rating."""
    found = []
    for row in rows:
        rating = row.get("csat_score") if row.get("csat_score") in WORDS else None
        shown = row | ({"csat_score": ""} if rating else {})
        more = {"csat_rating": rating} if "csat_score" in row else {}
        found.append({name: value_of(name, text) for name, text in shown.items()} | more)
    return found


def in_order(rows):
    return sorted(rows, key=repr)


@pytest.fixture(scope="session")
def reading():
    """The functions of the reader, for tests that read files."""

    class Reading:
        rows_of = staticmethod(rows_of)
        unzipped = staticmethod(unzipped)
        values_of = staticmethod(values_of)
        in_order = staticmethod(in_order)
        everything = EVERYTHING
        now = NOW

    return Reading


@pytest.fixture
def open_sandbox():
    """Make sandboxes that are closed when the test ends; limits are off unless asked for."""
    with ExitStack() as stack:

        def make(**options):
            defaults = {"seed": 1, "agents": 12, "days": 60, "now": NOW}
            limits = {"requests_per_second": None, "requests_per_minute": None}
            talk = Talk(stack.enter_context(Sandbox(**(defaults | limits | options))))
            stack.callback(talk.session.close)
            return talk

        yield make


@pytest.fixture(scope="module")
def calm():
    """A sandbox of a module's own, for tests that only read."""
    with Sandbox(
        seed=1, agents=12, days=40, now=NOW, requests_per_second=None, requests_per_minute=None, largest_page=20
    ) as sandbox:
        talk = Talk(sandbox)
        yield talk
        talk.session.close()
