"""Runs nvidia-smi with a time limit."""

from __future__ import annotations

import os
import subprocess

from backprop_tui.domain.values import dataclass
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.nvidia_driver import (
    LIBRARY_MISSING,
    MISMATCH,
    NO_CARD,
    NO_GPU,
    NOT_LOADED,
    nvidia_card_present,
)
from backprop_tui.probes.smi_table import GPU_FIELDS, PROCESS_FIELDS

NO_DEVICES = 6  # exit codes, see nvidia-smi(1)
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
_KILLED_SECONDS = 0.5
_QUOTED_CHARACTERS = 100


class SmiTimedOut(Exception):
    """nvidia-smi exceeded the time limit and was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmiAnswer:
    """The output of nvidia-smi and its exit code."""

    text: str
    exit_code: int


class SmiCommand:
    """Queries with a time limit in seconds. They raise SmiTimedOut, or ProbeUnavailable if there is no nvidia-smi."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds

    def gpus(self) -> SmiAnswer:
        """The metrics of all GPUs."""
        return self._run(f"--query-gpu={','.join(GPU_FIELDS)}")

    def gpu(self, selector: str) -> SmiAnswer:
        """The metrics of one GPU, by UUID or index."""
        return self._run("-i", selector, f"--query-gpu={','.join(GPU_FIELDS)}")

    def processes(self) -> SmiAnswer:
        """The compute processes on all GPUs."""
        return self._run(f"--query-compute-apps={','.join(PROCESS_FIELDS)}")

    def _run(self, *query: str) -> SmiAnswer:
        try:
            process = subprocess.Popen(
                ["nvidia-smi", *query, "--format=csv,noheader,nounits"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError as error:
            raise ProbeUnavailable("no nvidia-smi on PATH: it comes with the NVIDIA driver", absent=True) from error
        except OSError as error:
            raise ProbeUnavailable(f"nvidia-smi cannot be run: {error.strerror}") from error
        try:
            output, _ = process.communicate(timeout=self._seconds)
        except subprocess.TimeoutExpired as error:
            _kill_smi(process)
            raise SmiTimedOut from error
        return SmiAnswer(text=output.decode(errors="replace"), exit_code=process.returncode)


def explain_failure(answer: SmiAnswer, *, sys_root: str) -> ProbeUnavailable:
    """Why an answer contains no GPU, and what to do."""
    output = _first_line_quoted(answer.text)
    lowered = answer.text.lower()
    if "mismatch" in lowered:
        return ProbeUnavailable(MISMATCH)
    if answer.exit_code == NO_DEVICES or "no devices were found" in lowered:
        return ProbeUnavailable(NO_GPU, absent=True)
    if answer.exit_code == LIBRARY_NOT_FOUND:
        return ProbeUnavailable(LIBRARY_MISSING)
    if answer.exit_code == DRIVER_NOT_LOADED or "communicate with the nvidia driver" in lowered:
        absent = nvidia_card_present(sys_root) is False
        return ProbeUnavailable(NO_CARD if absent else NOT_LOADED, absent=absent)
    if answer.exit_code != 0:
        return ProbeUnavailable(f"nvidia-smi failed with exit code {answer.exit_code}, {output}: run it to see more")
    return ProbeUnavailable(f"nvidia-smi printed no table of GPUs but {output}: run it to see more")


def _first_line_quoted(text: str) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    printable = "".join(letter if letter.isprintable() else "?" for letter in first[:_QUOTED_CHARACTERS])
    return f'"{printable}"' if printable else "nothing"


def _kill_smi(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    # In an uninterruptible sleep inside the driver, a process survives SIGKILL for a while; it is then abandoned.
    try:
        process.communicate(timeout=_KILLED_SECONDS)
    except subprocess.TimeoutExpired:
        pass
