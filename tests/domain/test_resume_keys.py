"""The key that takes a checkpoint in a `key=value` configuration."""

from __future__ import annotations

import pytest

from backprop_tui.domain.resume_keys import ConfigFile, hydra_config, key_template, leaves, parts_of

CONFIG = """
defaults:
  - _self_
  - trainer: ddp  # how to train
  - override hydra/launcher: joblib
  - /logger@log: csv
  - base

lr: 1e-3
resume_from: null   # a checkpoint
model:
  ckpt_path: null
trainer:
  max_epochs: 10
  resume: false
"""


def test_the_plain_values_of_a_file_have_dotted_keys() -> None:
    values = leaves(CONFIG)
    assert values["lr"] == "1e-3"
    assert values["resume_from"] == "null"
    assert values["trainer.resume"] == "false"
    assert "trainer" not in values


def test_the_defaults_list_names_the_other_files() -> None:
    assert list(parts_of(CONFIG, ["trainer=cpu", "lr=1"])) == [
        ("trainer/cpu", "trainer."),
        ("hydra/launcher/joblib", "hydra.launcher."),
        ("logger/csv", "log."),
        ("base", ""),
    ]


@pytest.mark.parametrize(
    ("values", "arguments", "template"),
    [
        ({"resume_from": "null", "lr": "1"}, [], "\"resume_from='{path}'\""),
        ({"ckpt_path": "", "model.ckpt_path": "null"}, [], "\"ckpt_path='{path}'\""),
        ({"model.ckpt_path": "null"}, [], None),  # weights to begin with
        ({"trainer.resume_from_checkpoint": "null"}, [], "\"trainer.resume_from_checkpoint='{path}'\""),
        ({"train.resume": "false"}, [], "train.resume=true"),
        ({"resume": "auto"}, [], None),
        ({"lr": "1"}, ["+resume_from=old.pt"], "\"++resume_from='{path}'\""),
        ({"lr": "1"}, ["resume=old.pt"], "\"resume='{path}'\""),
        ({"resume_every": "3"}, [], None),
    ],
)
def test_the_clearest_key_that_takes_a_path_is_used(
    values: dict[str, str], arguments: list[str], template: str | None
) -> None:
    assert key_template(values, arguments) == template


def test_hydra_names_its_file_in_the_source_or_on_the_command_line() -> None:
    source = '@hydra.main(version_base=None, config_path="../conf", config_name="train.yaml")\ndef main(cfg): ...\n'
    assert hydra_config(source, []) == ConfigFile(folder="../conf", name="train")
    assert hydra_config(source, ["-cn", "big", "lr=1"]) == ConfigFile(folder="../conf", name="big")
    assert hydra_config("@hydra.main()\ndef main(cfg): ...", []) is None
