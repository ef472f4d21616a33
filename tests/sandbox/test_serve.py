"""`maestro-analytics sandbox serve`, the way a stranger runs it; and the island that the sandbox is."""

import ast
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from maestro_analytics.sandbox import FAULTS, Sandbox
from tests.commands import COMMAND

SANDBOX = Path(__file__).parents[2] / "maestro_analytics" / "sandbox"


@pytest.fixture
def serve():
    """Start `sandbox serve` and give the process with its one line."""
    started = []

    def start(*options):
        process = subprocess.Popen(
            [*COMMAND, "sandbox", "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def run(*options):
    return subprocess.run(
        [*COMMAND, "sandbox", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_one_line_then_it_serves_until_interrupted(serve, end):
    process, line = serve("--agents", "3", "--days", "5", "--seed", "9", "--fault", "token-expires=2")
    url, token = line.split()
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/api/v1")
    for status in (200, 200, 401):
        assert requests.get(url + "/todos", headers={"apitoken": token}, timeout=20).status_code == status
    process.send_signal(end)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (130, "", "")


def test_a_fixed_moment_is_what_the_sandbox_lives_in(serve):
    _, line = serve("--agents", "3", "--days", "5", "--now", "2024-02-29T10:00:00Z")
    url, token = line.split()
    ticket = {"ticket_id": "t", "type": "x", "subject": "s", "agents": ["a"], "link": "http://example.com"}
    reply = requests.post(url + "/tickets", json=ticket, headers={"apitoken": token}, timeout=20).json()
    assert reply["first_seen"] == "2024-02-29T10:00:00.000Z"


def test_a_port_in_use_is_told_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("serve", "--port", str(port))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"port {port} cannot be used: address already in use\n"


def test_a_port_can_be_taken_again_at_once():
    port = 0
    for _ in range(3):
        with Sandbox(agents=2, days=2, port=port) as sandbox:
            port = int(sandbox.base_url.split(":")[2].partition("/")[0])
            reply = requests.get(sandbox.base_url + "/todos", headers={"apitoken": sandbox.token}, timeout=20)
            assert reply.status_code == 200


def test_a_sandbox_that_nobody_closed_lets_its_program_end():
    program = (
        "import requests; from maestro_analytics.sandbox import Sandbox; "
        "sandbox = Sandbox(agents=2, days=2).start(); session = requests.Session(); "
        "print(session.get(sandbox.base_url + '/todos', headers={'apitoken': sandbox.token}).status_code)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stdout) == (0, "200\n")


def test_an_unknown_fault_is_told_in_one_line():
    result = run("serve", "--fault", "expird-url")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "expird-url" in result.stderr
    assert "expired-url" in result.stderr


def test_faults_lists_every_fault():
    result = run("faults")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(FAULTS)


@pytest.mark.parametrize("source", sorted(SANDBOX.rglob("*.py")), ids=lambda path: str(path.relative_to(SANDBOX)))
def test_the_sandbox_needs_the_standard_library_and_itself_alone(source):
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        modules = [node.module] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            assert module.startswith("maestro_analytics.sandbox") or module.split(".")[0] in sys.stdlib_module_names
