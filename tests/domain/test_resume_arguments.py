"""How a script takes a checkpoint, found in its source."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.resume_arguments import all_options, misspelled_options, option_syntax, resume_template

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
        (
            "from detectron2.engine import default_argument_parser\nargs = default_argument_parser().parse_args()",
            "--resume",
        ),
        ("cli = LightningCLI(Model, Data)", None),  # no subcommand on the command line
        ('flags.DEFINE_string("resume_from", None, "a checkpoint")', "--resume_from {path}"),
        ('flags.DEFINE_bool("resume", False, "go on")', "--resume"),
        ('# flags.DEFINE_string("resume", None, "")', None),
        ('def main(resume: Path = typer.Option(None, "--resume", "-r")): ...', "--resume {path}"),
        ("def main(lr: float, resume: str | None = None):\n    ...\ntyper.run(main)", "--resume={path}"),
        ("def main(lr=1, resume_from=None):\n    ...\nfire.Fire(main)", "--resume_from={path}"),
        ("def train(resume=None):\n    ...\nfire.Fire({'train': train})", None),
        ("@dataclass\nclass Args:\n    lr: float = 1\n    resume: bool = False\nargs = tyro.cli(Args)", "--resume"),
        (
            "@dataclass\nclass More:\n    ckpt_path: str | None = field(default=None)\np = HfArgumentParser((More,))",
            "--ckpt_path={path}",
        ),
        ("@dataclass\nclass Args:\n    resume: str = ''\n", None),
        ("p.add_argument('--resume', action='store_true', help='(go on)')", "--resume"),
        ("@click.option('--resume', '-r', type=click.Path(exists=True))", "--resume {path}"),
        ("p.add_argument('--resume', type=str2bool, default=False)", "--resume True"),
        ("p.add_argument('--resume', type=_str2bool, nargs='?', const=True)", "--resume"),
        ("# p.add_argument('--resume', type=str)", None),
        ("sub = p.add_subparsers()\neval_.add_argument('--resume', type=str)", None),
        ("@cli.command()\n@click.option('--resume')\ndef a(): ...\n@cli.command()\ndef b(): ...\n", None),
        ("@app.command()\ndef main(resume: str = typer.Option(None, '--resume')): ...\n", "--resume {path}"),
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


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("--bacth-size 8", {"--bacth-size": "--batch-size"}),
        ("--batch_size=8", {"--batch_size": "--batch-size"}),
        ("--no-ampp", {"--no-ampp": "--no-amp"}),
        ("--batch-size 8 -b 4 --amp --no-amp", {}),
        ("--batch 8", {}),  # the beginning is accepted
        ("--gradient-clipping 1", {}),  # similar to none: another module may define it
        ("out -- --bacth-size", {}),
        ("bacth-size=8", {}),
        ("----batch-size 8", {"----batch-size": "--batch-size"}),
        ("---bacth-size=8", {"---bacth-size": "--batch-size"}),
        ("—batch-size 8", {"—batch-size": "--batch-size"}),
        ("-amp", {"-amp": "--amp"}),
        ("-batch-size 8", {}),  # -b with a value behind it
        ("-no-amp", {"-no-amp": "--no-amp"}),
        ("-b8 -1e-3", {}),
    ],
)
def test_an_option_that_is_similar_to_a_defined_one_is_misspelled(words: str, meant: dict[str, str]) -> None:
    source = IMAGENET + "parser.add_argument('--amp', action=argparse.BooleanOptionalAction)\n"
    assert misspelled_options(source, words.split()) == meant


TYPER = """
def main(lr: float = 1e-3, batch_size: int = 32):
    pass
typer.run(main)
"""
FLAX = "flags.DEFINE_string('workdir', None, 'out')\n# parser.add_argument('--gone')\n"
CLICK = "@click.option('--amp/--no-amp', default=True)\n@click.option('--lr', default=1e-3)\n"
SWITCH = "parser.add_argument('-c', '--cache', action=argparse.BooleanOptionalAction)\n"


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (IMAGENET, ("-b", "--batch-size", "--resume")),
        (CLICK, ("--amp", "--no-amp", "--lr")),
        (SWITCH, ("-c", "--cache", "--no-cache")),
        (TYPER, ("--lr", "--batch-size")),
        (FLAX, ("--workdir",)),
        ("lr = 1", ()),
    ],
)
def test_all_options_of_a_script_are_listed_in_its_order(source: str, options: tuple[str, ...]) -> None:
    assert all_options(source) == options


@given(st.text(alphabet="add_argument(click.option)'\"-, \n=resume", max_size=300))
def test_no_source_makes_it_fail_or_hang(source: str) -> None:
    resume_template("add_argument(" * 30 + source)


def test_garbage_source_takes_no_time() -> None:
    for source in ("x = 1\n" * 500_000, "add_argument('--a'" + " " * 500_000, "add_argument('--a', '--b" * 20_000):
        began = time.process_time()
        resume_template(source)
        assert time.process_time() - began < 2.0


def test_the_values_of_options_that_take_only_some_are_read_where_they_are_written_out() -> None:
    source = """
p.add_argument("-o", "--opt", choices=["adam", 'adam w', "sgd"], default="adam")
p.add_argument("--layers", type=int, choices=(12, 24,
    36))
p.add_argument("--model", choices=MODELS)
p.add_argument("--head", choices=["linear", *HEADS])
@click.option("--act", type=click.Choice(["relu", "gelu"]))
@dataclass
class Args:
    sched: Literal["cosine", "linear"] = "cosine"
tyro.cli(Args)
"""
    assert option_syntax(source).choices == {
        **dict.fromkeys(("-o", "--opt"), ("adam", "adam w", "sgd")),
        "--layers": ("12", "24", "36"),
        "--act": ("relu", "gelu"),
        "--sched": ("cosine", "linear"),
    }


def test_an_option_that_is_defined_for_several_subcommands_has_no_choices() -> None:
    source = """
train.add_argument("--mode", choices=["fast", "full"])
evaluate.add_argument("--mode", choices=["val", "test"])
train.add_argument("--opt", choices=["adam", "sgd"])
"""
    assert option_syntax(source).choices == {"--opt": ("adam", "sgd")}
