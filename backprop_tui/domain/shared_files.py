"""What is said of files that several runs may have written."""

from __future__ import annotations

from collections.abc import Sequence


def shared_message(folder: str, runs: Sequence[str], files: Sequence[str]) -> str:
    """`step_9.pt and others in /data/ckpt may be of this run or of run abc: not used; give each run ...`."""
    newest = files[-1].rpartition("/")[2] + (" and others" if len(files) > 1 else "")
    return (
        f"{newest} in {folder} may be of this run or of {runs_text(runs)}: not used; "
        "give each run its own output directory or --cwd"
    )


def runs_text(runs: Sequence[str]) -> str:
    """`run abc` or `runs abc, def`."""
    return f"run {runs[0]}" if len(runs) == 1 else f"runs {', '.join(runs)}"
