"""Totals that a command line or a script's source names."""

from __future__ import annotations

import pytest

from backprop_tui.domain.training_totals import Totals, totals_of_command


@pytest.mark.parametrize(
    ("command", "steps", "epochs"),
    [
        ("python train.py --max_iters 5000", 5000, None),
        ("python train.py --epochs=30 --lr 0.1", None, 30),
        ("python train.py --num_train_epochs 3.0 --max_steps -1", None, 3),
        ("python train.py --total-timesteps 1e6", 1_000_000, None),
        ("python train.py max_steps=1000", 1000, None),
        ("python -m pkg.train trainer.max_epochs=10 +data.epochs_per_file=2", None, 10),
        ("python train.py --n_epochs 7 --n_epochs_decay 5", None, 7),
        ("python train.py --steps 400 --eval_steps 50 --warmup-steps 10 --save_steps 5", 400, None),
        ("python train.py --num-steps 128", None, None),
        ("python train.py --epoch 5", None, None),
        ("python train.py --steps_per_epoch 100", None, None),
        ("python train.py --max_steps 10 --train_iters 20", None, None),
        ("python train.py --epochs many", None, None),
    ],
)
def test_the_options_that_count_a_whole_training(command: str, steps: int | None, epochs: int | None) -> None:
    assert counts(totals_of_command(command.split())) == (steps, epochs)


def counts(totals: Totals) -> tuple[int | None, int | None]:
    return totals.steps, totals.epochs


def test_a_command_inside_a_shell_command() -> None:
    assert counts(totals_of_command(["sh", "-c", "python train.py --epochs 4"])) == (None, 4)
    assert counts(totals_of_command(["python", "-c", "print('training with max_steps=4')"])) == (None, None)


SOURCE = """
parser.add_argument("--epochs", "-e", type=int, default=12, help="how long")
parser.add_argument('--warmup-epochs', type=int, default=3)
parser.add_argument('--max-steps', default=None, type=int)
"""


def test_the_default_of_a_script_counts_unless_it_is_overridden() -> None:
    assert counts(totals_of_command(["python", "train.py"], SOURCE)) == (None, 12)
    assert counts(totals_of_command(["python", "train.py", "--epochs", "5"], SOURCE)) == (None, 5)
    assert counts(totals_of_command(["python", "train.py", "--config", "a.yaml"], SOURCE)) == (None, None)
    assert counts(totals_of_command(["python", "train.py", "--epochs", "auto"], SOURCE)) == (None, None)


def test_a_script_that_loops_over_epochs_is_known() -> None:
    assert totals_of_command(
        ["python", "train.py"], "for epoch in range(3):\n    for batch in tqdm(loader):"
    ).has_epochs
    assert not totals_of_command(
        ["python", "train.py"], "for step in tqdm(range(1000)):  # one epoch in all"
    ).has_epochs
