"""Options of sbatch that would make the job another one than that of the run."""

from __future__ import annotations

import pytest

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.slurm_extra import check_extra, gives_dependency


@pytest.mark.parametrize(
    ("words", "option", "instead"),
    [
        (["--job-name=x"], "--job-name", "--name"),
        (["--exclusive", "-J", "x"], "--job-name", "--name"),
        (["-Jx"], "--job-name", "--name"),
        (["--job=x"], "--job-name", "--name"),
        (["--array=0-3"], "--array", "--sweep"),
        (["--ar=0-3"], "--array", "--sweep"),
        (["-a0-3"], "--array", "--sweep"),
        (["--wrap=true"], "--wrap", "-- COMMAND"),
        (["--wait"], "--wait", "backprop-tui wait"),
        (["-QW"], "--wait", "backprop-tui wait"),
        (["--test-only"], "--test-only", "--dry-run"),
        (["-H"], "--hold", "scontrol hold"),
        (["-M", "other"], "--clusters", "SLURM_CLUSTERS"),
        (["--chdir=/tmp"], "--chdir", "--cwd"),
        (["--requeue"], "--requeue", "--retries N"),
        (["-h"], "--help", "man sbatch"),
    ],
)
def test_an_option_that_a_run_cannot_have_is_refused_with_what_to_give_instead(
    words: list[str], option: str, instead: str
) -> None:
    with pytest.raises(UsageError, match=f"{option} cannot be given, since ") as refusal:
        check_extra(words)
    assert instead in str(refusal.value.hint)


@pytest.mark.parametrize("words", [["train.sh"], ["--exclude=n1", "n2"], ["-x", "n1", "n2"], ["--"], ["-"]])
def test_a_word_that_sbatch_would_take_for_the_script_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="not an option of sbatch"):
        check_extra(words)


@pytest.mark.parametrize(
    "words",
    [
        ["--exclude", "n1", "-w", "n2", "--time=60"],
        ["-xJupiter", "-pWide", "--wait-all-nodes=1", "--signal=B:USR1@60"],
        ["--no-requeue", "--reservation=a", "-d", "singleton", "--nodes=1", "-vv", "--comment=-J"],
    ],
)
def test_other_options_are_passed_on(words: list[str]) -> None:
    check_extra(words)


def test_a_dependency_is_recognized() -> None:
    assert all(gives_dependency(words) for words in (["--dependency=x"], ["--dep=x"], ["-d", "x"], ["-dx"]))
    assert not gives_dependency(["--exclude=d", "-x", "n-d", "--distribution=block"])
