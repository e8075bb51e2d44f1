"""Where services spend their processor time, by step: samples of their stacks by py-spy."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from balance_local import supervisor
from balance_local.installation import Installation

_ROLES = ("live", "worker")
_RATE = 200
OTHER = "all else"

Steps = Mapping[str, Sequence[str]]
"""By step, the functions that begin it. The innermost one on a stack tells."""

INGEST: Steps = {
    "decode packets": ("decode_packet",),
    "screen and cut packets": ("harvest",),
    "look up channels and lock them": ("_prepare", "hold", "_begun"),
    "read evidence": ("evidence_of", "evidence", "edges"),
    "join evidence": ("join_evidence",),
    "write evidence": ("keep_blocks", "keep_points"),
    "compute readings": ("compute_days", "settle_parked"),
    "write readings": ("flush",),
    "read readings to publish": ("current", "_current", "claim", "forget"),
    "encode readings": ("parts", "encode"),
    "compress for Kafka": ("lz4_encode",),
    "event loop and Kafka client": ("_run_once",),
    "check connections": ("check_connection",),
}
IMBALANCE: Steps = {
    "lock groups and take markers": ("work", "take", "due"),
    "read the register": ("histories", "described"),
    "read readings": ("readings",),
    "lay out hours": ("side",),
    "estimate the missing": ("complete_days", "day_input"),
    "compute figures": ("compute",),
    "write group-days": ("write",),
    "read group-days to publish": ("_current", "claim", "forget"),
    "encode group-days": ("_outgoing", "encode"),
    "compress for Kafka": ("lz4_encode",),
    "event loop and Kafka client": ("_run_once",),
}
_IDLE = ("select", "_worker", "wait_for")


class Samples:
    """Stacks of the processes, from when they were begun to when they ended."""

    def __init__(self, steps: Steps) -> None:
        """None yet."""
        self._steps = steps
        self.files: list[Path] = []
        self._counts: Counter[str] = Counter()

    def gather(self) -> None:
        """Read what was recorded."""
        for file in self.files:
            self._counts.update(by_step(file.read_text().splitlines(), self._steps))

    def shares(self) -> Mapping[str, float]:
        """Share of each step in all samples on a processor, greatest first."""
        total = sum(self._counts.values()) or 1
        return {step: count / total for step, count in self._counts.most_common()}


@contextmanager
def of_services(made: Installation, steps: Steps) -> Iterator[Samples]:
    """Sample the sink and the worker meanwhile. Raises RuntimeError when py-spy may not."""
    samples = Samples(steps)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as recording:
        for one in supervisor.recorded(made.folder):
            if one.role in _ROLES:
                file = Path(folder) / one.role
                samples.files.append(file)
                recording.enter_context(_recorded(one.pid, file))
        yield samples
        recording.close()
        samples.gather()


@contextmanager
def _recorded(pid: int, file: Path) -> Iterator[None]:
    tool = Path(sys.executable).with_name("py-spy")
    command = [str(tool), "record", "--pid", str(pid), "--rate", str(_RATE), "--output", str(file)]
    process = subprocess.Popen(
        [*command, "--format", "raw", "--nonblocking"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        words, _ = process.communicate(timeout=60)
    if not file.exists():
        raise RuntimeError(
            f"expected py-spy to sample process {pid}, found: {words.strip()}; let it trace processes "
            "(root, or kernel.yama.ptrace_scope=0)"
        )


def by_step(lines: Iterable[str], steps: Steps) -> Counter[str]:
    """Samples by step, of folded stacks: `Class.function (file:line);function (file:line) count`.

    What waits for something to do is left out.
    """
    step_of = {function: step for step, functions in steps.items() for function in functions}
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        functions = [frame.partition(" (")[0].rpartition(".")[2] for frame in reversed(stack.split(";"))]
        if functions[0] not in _IDLE:
            step = next((step_of[function] for function in functions if function in step_of), OTHER)
            counts[step] += int(count)
    return counts
