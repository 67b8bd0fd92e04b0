"""A command like nvidia-smi: the two queries that the probe asks, answered through the pynvml beside it."""

from __future__ import annotations

import os
import sys
import time

import pynvml

MEBIBYTE = 1 << 20


def say(line: str) -> None:
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def row(index: int) -> str:
    gpu = pynvml.gpu_of(index)
    figures = (gpu["celsius"], gpu["utilization"], gpu["total"] // MEBIBYTE, pynvml.used_bytes(gpu) // MEBIBYTE)
    cells = (
        index,
        gpu["uuid"],
        gpu["name"],
        f"00000000:{index + 1:02X}:00.0",
        *figures,
        gpu["watts"],
        "[N/A]",
        "[N/A]",
    )
    return ", ".join(map(str, cells))


def main() -> int:
    """Prints what is asked for.

    A GPU that is lost is a line of words, as with the real one.
    """
    state = pynvml.state()
    while state["smi"] == pynvml.HANGS:
        time.sleep(pynvml.LOOK_SECONDS)
        state = pynvml.state()
    if state["smi"] is not None:
        say(state["smi"])
        return 255
    indices = range(len(state["gpus"]))
    if sys.argv[1] == "-i":
        indices = range(int(sys.argv[2]), int(sys.argv[2]) + 1)
    for index in indices:
        gpu = state["gpus"][index]
        if "--query-compute-apps" in " ".join(sys.argv):
            for pid, held in pynvml.holders(gpu):
                say(f"{gpu['uuid']}, {pid}, {held // MEBIBYTE}")
        elif gpu["lost"]:
            where = f"0000:{index + 1:02X}:00.0"
            say(f"Unable to determine the device handle for GPU{where}: GPU is lost.  Reboot the system")
        else:
            say(row(index))
    return 0


if __name__ == "__main__":
    sys.exit(main())
