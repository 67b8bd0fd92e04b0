"""Scripts that do not accept an option that was added to their command line."""

from __future__ import annotations

import pytest

from backprop_tui.domain.causes.tracebacks import LogLine
from backprop_tui.domain.lifecycle import Outcome
from backprop_tui.domain.refusals import explain_refusal, find_refused_option
from backprop_tui.domain.status import Status

OPTIONS = ("--run-id", "--ckpt_path")


def lines(text: str) -> list[LogLine]:
    return [LogLine(line, number) for number, line in enumerate(text.splitlines(), start=1)]


@pytest.mark.parametrize(
    "message",
    [
        "train.py: error: unrecognized arguments: --ckpt_path /w/last.ckpt",  # argparse
        "train.py: error: ambiguous option: --ckpt_path could match --ckpt_path_a, --ckpt_path_b",
        "train.py: error: argument --ckpt_path: invalid int value: '/w/last.ckpt'",
        "train.py: error: argument -c/--ckpt_path: ignored explicit argument '/w/last.ckpt'",
        "Error: No such option: --ckpt_path (Possible options: --lr)",  # click
        "│ No such option: --ckpt-path                                  │",  # typer
        "getopt.GetoptError: option --ckpt_path not recognized",
        "FATAL Flags parsing error: Unknown command line flag 'ckpt_path'",  # absl
        "ERROR: Could not consume arg: --ckpt_path",  # fire
        "ValueError: Some specified arguments are not used by the HfArgumentParser: ['--ckpt_path', '/w/last.ckpt']",
        "error: Unrecognized arguments: --ckpt_path=/w/last.ckpt",  # jsonargparse
        "TypeError: main() got an unexpected keyword argument 'ckpt_path'",
        "Could not override 'ckpt_path'.",  # Hydra
        "    Key 'ckpt_path' is not in struct",
        "omegaconf.errors.ConfigAttributeError: Key 'ckpt_path' is not in struct",
        "ValueError: Unknown config key: ckpt_path",  # nanoGPT's configurator
        "error: unexpected argument '--ckpt_path' found",  # clap
        "./job.sh: unrecognized option '--ckpt_path'",
        "[rank0]: train.py: error: unrecognized arguments: --ckpt_path /w/last.ckpt",
    ],
)
def test_a_refusal_that_names_the_added_option_is_recognised(message: str) -> None:
    log = lines(f"loading\nusage: train.py [-h]\n{message}\n\n")
    refusal = find_refused_option(log, OPTIONS)
    assert refusal is not None
    assert (refusal[0], refusal[1].number) == ("--ckpt_path", 3)


@pytest.mark.parametrize(
    "message",
    [
        "train.py: error: unrecognized arguments: --lr 0.1",
        "train.py: error: unrecognized arguments: --ckpt_path_a /w/last.ckpt",
        "train.py: error: unrecognized arguments: --old /w/ckpt_path.pt",
        "usage: train.py [-h] [--ckpt_path PATH]",
        "FileNotFoundError: [Errno 2] No such file or directory: '/w/ckpt_path'",
        "RuntimeError: Error(s) in loading state_dict for Net: Unexpected key(s) in state_dict: fc.weight",
        "ckpt_path: /w/last.ckpt of an unknown model",
        "resuming, ckpt_path=/w/last.ckpt",
        "TypeError: load() got an unexpected keyword argument 'weights_only' for ckpt_path of this run",
        "ValueError: ckpt_path holds an unknown optimizer key",
    ],
)
def test_other_errors_are_no_refusal(message: str) -> None:
    assert find_refused_option(lines(message), OPTIONS) is None


def test_the_cause_names_the_option_that_was_added() -> None:
    log = lines("train.py: error: unrecognized arguments: --ckpt_path /w/last.ckpt")
    failed = Outcome(status=Status.FAILED, exit_code=2, reason="wrong arguments")
    outcome = explain_refusal(failed, log, OPTIONS)
    assert outcome.refused_option == "--ckpt_path"
    assert outcome.cause is not None
    assert outcome.cause.summary == "backprop-tui added --ckpt_path, which the script does not accept"
    assert "--resume-arg" in (outcome.cause.advice or "")
    assert outcome.cause.line == 1
    assert explain_refusal(failed, log, ()) == failed
    assert explain_refusal(failed, lines("RuntimeError: out of luck"), OPTIONS) == failed
