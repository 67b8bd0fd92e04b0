"""Options of sbatch that a run cannot be given as they are, and what does the same.

Source: sbatch(1) of Slurm 22.05. As getopt_long(3) does, sbatch takes a long option by its beginning, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.errors import UsageError

_NAMED = "a job is recognized by its name, which ends with the run and the number of the job"
_LONG = {
    "--job-name": (_NAMED, "--name names the run, and its job NAME-RUN-ATTEMPT"),
    "--array": ("a run is one job", "--sweep makes a run of each value"),
    "--wrap": ("the job runs the command of the run", "give the command: backprop-tui run ... -- COMMAND"),
    "--wait": ("sbatch would not return before the end of the job", "backprop-tui wait RUN waits for it"),
    "--test-only": ("sbatch would submit nothing", "backprop-tui run --dry-run asks Slurm without submitting"),
    "--hold": ("the job is released once it is recorded", "afterwards: scontrol hold JOB"),
    "--clusters": ("squeue would not be asked there", "set SLURM_CLUSTERS, which all commands of Slurm read"),
    "--chdir": ("the script starts in the directory of the run", "--cwd sets it"),
    "--requeue": ("another attempt is another job, which continues from a checkpoint", "--retries N submits it"),
    "--help": ("sbatch would submit nothing", "see: man sbatch"),
    "--usage": ("sbatch would submit nothing", "see: man sbatch"),
    "--version": ("sbatch would submit nothing", "see: sbatch --version"),
}
_SHORT = {
    "J": "--job-name",
    "a": "--array",
    "W": "--wait",
    "H": "--hold",
    "M": "--clusters",
    "D": "--chdir",
    "h": "--help",
    "u": "--usage",
    "V": "--version",
}
_SHORT_WITHOUT_VALUE = frozenset("HhIkOQsuvVW")


def check_extra(words: Sequence[str]) -> None:
    """Raises UsageError for an option with which the job would not be the one of the run, or not be seen."""
    for number, word in enumerate(words):
        if not word.startswith("-") or word in ("-", "--"):
            before = words[number - 1] if number else "="
            if not before.startswith("-") or "=" in before:
                raise UsageError(
                    f"--slurm-extra={word}: not an option of sbatch", "as in --slurm-extra=--exclude=n3, or slurm.extra"
                )
            continue
        option = _refused(word)
        if option is not None:
            reason, instead = _LONG[option]
            raise UsageError(f"--slurm-extra={word}: {option} cannot be given, since {reason}", instead)


def _refused(word: str) -> str | None:
    """The option that a word gives, if it is one of those."""
    if word.startswith("--"):
        name = word.partition("=")[0]
        if name in _LONG:
            return name
        return next((option for option in _LONG if option.startswith(name)), None)
    for letter in word[1:]:
        if letter in _SHORT:
            return _SHORT[letter]
        if letter not in _SHORT_WITHOUT_VALUE:
            return None  # the rest is its value
    return None


def gives_dependency(words: Sequence[str]) -> bool:
    """Whether they replace the dependency of the job: only one can be given."""
    return any(word.startswith(("--dep", "-d")) for word in words)
