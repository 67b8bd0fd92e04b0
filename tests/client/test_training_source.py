"""Locating the source of a training, and how it takes a checkpoint."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from backprop_tui.client.training_source import MAX_IMPORTED_FILES, find_training
from backprop_tui.domain.command_lines import find_target
from backprop_tui.domain.resume_arguments import ResumeMethod
from backprop_tui.domain.run import ResumeChannel

OPTION = 'parser.add_argument("--resume", type=str)\n'
FUNCTION = f"import argparse\ndef get():\n    parser = argparse.ArgumentParser()\n    {OPTION}    return parser\n"


def _written(folder: Path, **files: str) -> None:
    """Files by their paths, with `__` for a slash and without `.py`."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("DOT", "__")
        path = path if path.suffix else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _means(folder: Path, line: str, **environment: str) -> ResumeMethod:
    return find_training(find_target(shlex.split(line)), str(folder), {"PATH": os.defpath, **environment})[1]


def _template(folder: Path, line: str, **environment: str) -> str | None:
    return _means(folder, line, **environment).template


@pytest.mark.parametrize(
    "line",
    [
        "python3 -m pkg.own",
        "python3 -m pkg.train",
        "torchrun -m pkg.train",
        "accelerate launch --module pkg.train",
        "deepspeed --num_gpus 2 pkg/relative.py",
        "uv run -m pkg.relative",
        "env -C deeper python3 -m fit",
        "bash -c 'cd deeper && python fit.py \"$@\"' _",
    ],
)
def test_an_option_is_found_in_a_module_or_in_what_it_imports(tmp_path: Path, line: str) -> None:
    _written(
        tmp_path,
        pkg__own=OPTION,
        pkg__train="from pkg.opts import get\nget()\n",
        pkg__relative="def main():\n    from .opts import get\n    get()\n",
        pkg__opts=FUNCTION,
        deeper__fit="import options\noptions.get()\n",
        deeper__options=FUNCTION,
    )
    assert _template(tmp_path, line) == "--resume {path}"


def test_modules_are_found_by_pythonpath_and_packages_by_what_starts_them(tmp_path: Path) -> None:
    package = {"src/app/__main__.py": "from app import cli\ncli.get()", "src/app/cli.py": FUNCTION}
    for name, content in package.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert _template(tmp_path, "python -m app") is None
    assert _template(tmp_path, "python -m app", PYTHONPATH=str(tmp_path / "src")) == "--resume {path}"
    assert _template(tmp_path, "env PYTHONPATH=src python -m app") == "--resume {path}"


def test_only_what_a_script_uses_of_a_module_counts(tmp_path: Path) -> None:
    _written(
        tmp_path,
        train="from tools import mean\ndef main():\n    print(mean([1]))\nmain()\n",
        tools=f"def mean(x): ...\n\ndef main(\n) -> None:\n    {OPTION}\nif __name__ == '__main__':\n    {OPTION}",
        base=f"class Base:\n    def options(self, parser):\n        {OPTION}",
        options="from base import Base\nclass Options(Base): ...\n",
        class_based="from options import Options\nOptions()\n",
    )
    assert _template(tmp_path, "python train.py") is None
    assert _template(tmp_path, "python class_based.py") == "--resume {path}"


def test_imports_in_a_circle_and_many_modules_end(tmp_path: Path) -> None:
    count = 2 * MAX_IMPORTED_FILES
    _written(tmp_path, **{f"m{number}": f"import m{(number + 1) % count}, os\n" for number in range(count)})
    _written(tmp_path, **{f"m{count - 1}": OPTION})
    assert _template(tmp_path, "python m0.py") is None
    assert _template(tmp_path, f"python m{count - 3}.py") == "--resume {path}"


def test_a_shell_script_must_pass_on_its_arguments(tmp_path: Path) -> None:
    _written(tmp_path, sub__train=OPTION)
    passing = 'cd "$(dirname "$0")"\nexec torchrun \\\n  train.py --lr 1 "$@"\n'
    (tmp_path / "sub/run.sh").write_text(passing)
    assert _template(tmp_path, "bash sub/run.sh") == "--resume {path}"
    (tmp_path / "outer.sh").write_text('./sub/run.sh "$@"\n')
    assert _template(tmp_path, "sh outer.sh") == "--resume {path}"
    (tmp_path / "sub/run.sh").write_text(passing.replace('"$@"', ""))
    method = _means(tmp_path, "bash sub/run.sh")
    assert method.template is None
    assert method.obstacle is not None
    assert "--resume cannot be added" in method.obstacle


def test_a_shell_script_may_pass_on_the_variable(tmp_path: Path) -> None:
    _written(tmp_path, train=OPTION)
    (tmp_path / "run.sh").write_text(
        '[ -n "$BACKPROP_RESUME_FROM" ] && A="--resume $BACKPROP_RESUME_FROM"\npython train.py $A\n'
    )
    for line in (
        "bash run.sh",
        "bash -c 'python train.py ${BACKPROP_RESUME_FROM:+--resume $BACKPROP_RESUME_FROM}'",
        "bash -c 'fit $BACKPROP_RESUME_FROM'",
    ):
        assert _means(tmp_path, line).channel is ResumeChannel.ENVIRONMENT
    assert _means(tmp_path, "bash -c 'fit --lr 1'").channel is None


def test_a_console_script_is_read_through_its_module(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/fit"
    script.write_text("#!/venv/bin/python\nimport sys\nfrom pkg.train import main\nsys.exit(main())\n")
    _written(tmp_path, pkg__train=OPTION)
    assert _template(tmp_path, "fit --lr 1", PATH=str(tmp_path / "bin")) == "--resume {path}"
    assert _template(tmp_path, "poetry run fit", PATH=str(tmp_path / "bin")) == "--resume {path}"
    assert _template(tmp_path, "fairseq-train data") == "--restore-file {path}"


LIGHTNING = "from lightning.pytorch.cli import LightningCLI\ndef main():\n    cli = LightningCLI({})\nmain()\n"


@pytest.mark.parametrize(
    ("call", "arguments", "template"),
    [
        ("Model, run=False,  # no fitting", "", None),
        ("Model, Data", "fit --trainer.max_epochs 3", "--ckpt_path {path}"),
        ("Model, Data", "--config c.yaml fit", "--ckpt_path {path}"),
        ("Model, Data", "", None),
        ("Model, Data", "validate", None),
        ("Model, run=wanted", "fit", None),
        ("Model, args=['fit']", "fit", None),
        ("run=False", "fit", None),
    ],
)
def test_lightning_takes_a_checkpoint_only_with_its_subcommand(
    tmp_path: Path, call: str, arguments: str, template: str | None
) -> None:
    _written(tmp_path, train=LIGHTNING.format(call))
    assert _template(tmp_path, f"python train.py {arguments}") == template


def test_a_class_derived_from_lightnings_is_one(tmp_path: Path) -> None:
    source = "class MyCLI(LightningCLI):\n    pass\ncli = MyCLI(Model{})\n"
    _written(tmp_path, train=source.format(""), quiet=source.format(", run=False"))
    assert _template(tmp_path, "python train.py fit") == "--ckpt_path {path}"
    assert _template(tmp_path, "python quiet.py fit") is None


def test_hydras_key_is_found_in_its_files(tmp_path: Path) -> None:
    main = '@hydra.main(version_base=None, config_path="../conf", config_name="train")\ndef main(cfg): ...\n'
    _written(
        tmp_path,
        src__train=f"import hydra\n{main}",
        **{"conf__train.yaml": "defaults:\n  - _self_\n  - trainer: ddp\nlr: 1\n"},
        **{"conf__trainer__ddp.yaml": "max_epochs: 1\nresume_from_checkpoint: null\n"},
        **{"conf__trainer__cpu.yaml": "# @package _global_\nckpt_path: null\n"},
    )
    assert _template(tmp_path, "python src/train.py lr=2") == "\"trainer.resume_from_checkpoint='{path}'\""
    assert _template(tmp_path, "python src/train.py trainer=cpu") == "\"ckpt_path='{path}'\""
    (tmp_path / "conf/trainer/ddp.yaml").write_text("max_epochs: 1\n")
    assert _means(tmp_path, "python src/train.py lr=2") == ResumeMethod()


def test_omegaconfs_key_is_found_in_the_files_it_is_given(tmp_path: Path) -> None:
    _written(
        tmp_path,
        train="cli = OmegaConf.from_cli()\ncfg = OmegaConf.merge(OmegaConf.load('base.yaml'), cli)\n",
        other="cli = OmegaConf.from_cli()\ncfg = OmegaConf.merge(OmegaConf.load(cli.config), cli)\n",
        **{"base.yaml": "resume: null\n"},
    )
    assert _template(tmp_path, "python train.py lr=1") == "\"resume='{path}'\""
    assert _template(tmp_path, "python other.py config=base.yaml") == "\"resume='{path}'\""
    assert _template(tmp_path, "python other.py") is None


@pytest.mark.parametrize(
    ("source", "arguments", "channel"),
    [
        ("path = os.environ.get('BACKPROP_RESUME_FROM')", "", ResumeChannel.ENVIRONMENT),
        ("from backprop_tui import report", "", ResumeChannel.ENVIRONMENT),
        ("callbacks=[keras.callbacks.BackupAndRestore('b')]", "", ResumeChannel.ITSELF),
        ("trainer.fit(model, ckpt_path='last')", "", ResumeChannel.ITSELF),
        ("print()", "--auto-resume --lr 1", ResumeChannel.ITSELF),
        ("print()", "--lr 1 --init_from=resume", ResumeChannel.ITSELF),
        ("print()", "--no-resume --lr auto", None),
    ],
)
def test_a_script_that_needs_no_argument_is_recognised(
    tmp_path: Path, source: str, arguments: str, channel: ResumeChannel | None
) -> None:
    _written(tmp_path, train=source)
    assert _means(tmp_path, f"python train.py {arguments}") == ResumeMethod(channel=channel)


@pytest.mark.parametrize(
    "line", ["python -m nowhere", "python gone.py", "python -c 'x'", "docker run image", "sleep 3"]
)
def test_a_missing_script_has_no_known_method(tmp_path: Path, line: str) -> None:
    path, method = find_training(find_target(shlex.split(line)), str(tmp_path), {"PATH": os.defpath})
    assert (path, method) == (None, ResumeMethod(obstacle="its source was not found"))
