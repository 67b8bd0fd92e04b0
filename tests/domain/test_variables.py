"""Values of variables with secret names are not stored."""

from __future__ import annotations

import pytest

from backprop_tui.domain.run import is_secret, without_secrets


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("WANDB_API_KEY", True),
        ("HF_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("PGPASSWORD", True),
        ("GITHUB_TOKEN_FILE", True),
        ("apikey", True),
        ("SEED", False),
        ("LR", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("CUDA_LAUNCH_BLOCKING", False),
    ],
)
def test_names_are_classified(name: str, secret: bool) -> None:  # noqa: FBT001
    assert is_secret(name) is secret


def test_the_last_value_of_a_name_counts() -> None:
    assert without_secrets([("A", "1"), ("MY_TOKEN", "x"), ("A", "2")]) == (("A", "2"), ("MY_TOKEN", None))
