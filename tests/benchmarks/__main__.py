"""Every benchmark, one after the other, each in a process of its own: `python -m tests.benchmarks`."""

import subprocess
import sys
from pathlib import Path

for module in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    print(f"== {module.stem}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{module.stem}"], check=True)
