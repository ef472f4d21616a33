"""What runs over a long list of coaching points cost: requests, seconds, and the most memory that the process held.

    python -m tests.benchmarks.coaching [--points 200000]

Prints the first run, one an hour later, and one that reads every slice again, as the first of each day does. The points
come from a server of this benchmark, 500 on a page, 110 created each day.

Measured with 200,000 points on 2 quiet cores: first run 404 requests, 15.3 s, 290 MiB; an hour later 10 requests, 10.6
s, 274 MiB (16.7 s before lists of ids were read at once and texts for reasons only where they are needed); all slices
again 407 requests, 17.2 s, 275 MiB; on quicker cores 10.2, 6.8 and 11.2 s. It was 455 MiB before lists landed batch by
batch and before commands stopped importing pandas, hypothesis and scipy. About 190 MiB of it is there once the database
is open.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.benchmarks.table import row

PAGE = 500
APART = timedelta(days=1) / 110
COMMAND = """
import resource, sys, time
started = time.monotonic()
from maestro_analytics.cli import main
try:
    main()
finally:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.monotonic() - started:8.1f} s {peak:8.0f} MiB", file=sys.stderr)
"""


def serve(points: int) -> ThreadingHTTPServer:
    """A vendor with that many coaching points, the newest created now."""
    first = datetime.now(UTC) - points * APART

    def record(number: int) -> dict[str, Any]:
        created = (first + number * APART).isoformat()
        return {
            "id": f"point{number:07}",
            "createdAt": created,
            "updatedAt": created,
            "agentId": f"agent{number % 500}",
            "rubricId": "AatxWWtXWKcfiN34E",
            "answerId": f"16906fb5ce9d57646fa38362_{number}_AatxWWtXWKcfiN34E_agent{number % 500}_GRADER_grading",
            "type": "strengths",
            "classification": "qa",
            "coachNotes": "What the coach wrote about it, in a sentence or two that are as long as people write them.",
            "coachingSessionIds": [],
        }

    def numbers(query: dict[str, str]) -> range:
        start, end = 0, points
        if "startDate" in query:
            start = int((datetime.fromisoformat(query["startDate"]) - first) / APART) + 1
        if "endDate" in query:
            end = int((datetime.fromisoformat(query["endDate"]) - first) / APART) + 1
        return range(max(start, 0), min(end, points))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = dict(parse_qsl(address.query))
            found = numbers(query) if "coaching-points" in address.path else range(0)
            start = int(query.get("startIndex", 0))
            page = found[start : start + min(int(query.get("count", PAGE)), PAGE)]
            answer = {"totalResults": len(found), "startIndex": start, "Resources": [record(each) for each in page]}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200_000)
    points: int = parser.parse_args().points
    server = serve(points)
    with tempfile.TemporaryDirectory(prefix="coaching-benchmark-") as folder:
        environment = os.environ | {
            "MAESTRO_BASE_URL": f"http://127.0.0.1:{server.server_port}/api/v1",
            "MAESTRO_API_TOKEN": "benchmark",
            "MAESTRO_DATA": str(Path(folder) / "data"),
            "MAESTRO_CACHE": str(Path(folder) / "cache"),
            "MAESTRO_REQUESTS_PER_SECOND": "1000",
            "MAESTRO_REQUESTS_PER_MINUTE": "60000",
        }
        for what, words in (("first run", ()), ("an hour later", ()), ("all slices", ("--again",))):
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, "refresh", "--only", "coaching", "--quiet", "--json", *words],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            report = json.loads(done.stdout)
            rows = report["tables"]["coaching_points"]
            print(f"{what:<16}{rows:>9,} points {report['requests']:>5} requests {done.stderr.strip()}", flush=True)
            row(f"refresh of {rows:,} coaching points, {what}", f"{report['requests']} requests, {done.stderr.strip()}")
    server.shutdown()


if __name__ == "__main__":
    main()
