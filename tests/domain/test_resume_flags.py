"""Resume options found in a script's source: only those that it or its framework defines."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.invocation import find_script, program_resume_template, resume_template, script_command_line
from backprop_tui.domain.run import Queued
from tests.domain.runs import queued, running

IMAGENET = """
parser.add_argument('-b', '--batch-size', default=256, type=int)
parser.add_argument('--resume', default='', type=str, metavar='PATH',
                    help='path to latest checkpoint (default: none)')
"""
ACCELERATE = """
    parser.add_argument(
        "--resume_from_checkpoint",
        type=str,
        default=None,
        help="If the training should continue from a checkpoint folder.",
    )
"""
HUGGING_FACE = """
parser = HfArgumentParser((ModelArguments, DataTrainingArguments, TrainingArguments))
trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
"""
NANOGPT = "init_from = 'scratch' # 'scratch' or 'resume' or 'gpt2*'\nexec(open('configurator.py').read())\n"
MEGATRON = "from megatron.training import pretrain\npretrain(provider)\n"


@pytest.mark.parametrize(
    ("source", "template"),
    [
        (IMAGENET, "--resume {path}"),
        (ACCELERATE, "--resume_from_checkpoint {path}"),
        (HUGGING_FACE, "--resume_from_checkpoint {path}"),
        (NANOGPT, "--init_from=resume"),
        (MEGATRON, "--load {path}"),
        ("cli = LightningCLI(Model, Data)", "--ckpt_path {path}"),
        ("p.add_argument('--resume', action='store_true', help='(go on)')", "--resume"),
        ("@click.option('--resume', '-r', type=click.Path(exists=True))", "--resume {path}"),
        ("p.add_argument('--resume', type=str2bool, default=False)", "--resume True"),
        ("p.add_argument('--resume', type=_str2bool, nargs='?', const=True)", "--resume"),
        ("# p.add_argument('--resume', type=str)", None),
        ("sub = p.add_subparsers()\neval_.add_argument('--resume', type=str)", None),
        ("p.add_argument('--resume', choices=['auto', 'never'])", None),
        ("p.add_argument('--resume-training', type=str)", None),
        ("# --resume is not understood\nprint('--resume', x)", None),
        ("trainer = Trainer(args=TrainingArguments('out'))", None),
        ("init_from = 'scratch'", None),
        ("", None),
    ],
)
def test_only_what_the_source_defines_is_used(source: str, template: str | None) -> None:
    assert resume_template(source) == template


def test_the_clearest_of_several_flags_is_chosen() -> None:
    assert resume_template(IMAGENET + ACCELERATE) == "--resume_from_checkpoint {path}"


def test_a_command_line_names_its_script_or_its_program() -> None:
    assert find_script(("torchrun", "--nproc-per-node", "2", "train.py", "--lr", "1")) == "train.py"
    assert find_script(("bash", "-c", "python train.py")) is None
    assert program_resume_template(("/opt/bin/fairseq-train", "data")) == "--restore-file {path}"
    assert program_resume_template(("make",)) is None


def test_a_resumed_attempt_gets_the_detected_argument_unless_one_was_given() -> None:
    state = Queued(since=1.0, resume_from="/a dir/c.pt")
    found = queued(state=state, found_resume_arg="--resume {path}", command=("python3", "t.py", "--resume", "old.pt"))
    assert script_command_line(running(found))[2:] == ("--resume", "old.pt", "--resume", "/a dir/c.pt")
    asked = queued(state=state, found_resume_arg="--resume {path}", resume_arg="--from={path}")
    assert script_command_line(running(asked))[2:] == ("--from=/a dir/c.pt",)
    original = queued(state=state, found_resume_arg="--resume {path}", understood_flags=("--resume-from",))
    assert script_command_line(running(original))[2:] == ("--resume-from", "/a dir/c.pt")
    assert script_command_line(running(queued(found_resume_arg="--resume {path}"))) == ("python3", "train.py")


def test_a_newer_checkpoint_replaces_one_given_on_the_command_line() -> None:
    state = Queued(since=1.0, resume_from="/new.pt")
    run = queued(state=state, understood_flags=("--resume-from",), command=("python3", "t.py", "--resume-from=/old.pt"))
    assert script_command_line(running(run))[2:] == ("--resume-from=/old.pt", "--resume-from", "/new.pt")


@given(st.text(alphabet="add_argument(click.option)'\"-, \n=resume", max_size=300))
def test_no_source_makes_it_fail_or_hang(source: str) -> None:
    resume_template("add_argument(" * 30 + source)


def test_garbage_source_takes_no_time() -> None:
    for source in ("x = 1\n" * 500_000, "add_argument('--a'" + " " * 500_000, "add_argument('--a', '--b" * 20_000):
        began = time.process_time()
        resume_template(source)
        assert time.process_time() - began < 2.0
