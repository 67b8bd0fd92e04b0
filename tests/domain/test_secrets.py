"""Secrets are recognized by their names, taken out of a command line, and put back."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.secrets import MASK, hidden_words, is_secret, mask_words, reveal_words


@pytest.mark.parametrize(
    "name",
    [
        *("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "GITHUB_TOKEN_FILE", "apikey", "APIKEY2"),
        *("MY_PASSPHRASE", "DATABASE_URL", "GITHUB_PAT", "COOKIE", "SLACK_WEBHOOK", "AWS_SESSION_TOKEN", "hfToken"),
    ],
)
def test_secret_variables(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("SEED", "LR", "TOKENIZERS_PARALLELISM", "CUDA_LAUNCH_BLOCKING", "MONKEY", "N_TOKENS", "PATH", "PYTHONPATH"),
        *("KEYBOARD", "COMPASS", "WANDB_BASE_URL"),
    ],
)
def test_other_variables(name: str) -> None:
    assert not is_secret(name, "1")


def test_a_url_with_a_password_is_secret_whatever_its_name() -> None:
    assert is_secret("STORAGE", "postgres://me:pw@host/db")
    assert not is_secret("STORAGE", "postgres://host:5432/db")


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("t.py --password X --lr 1", "t.py --password *** --lr 1"),
        ("t.py --password='a b' x", "t.py --password=*** x"),
        ("t.py --api-key=X --api_key X", "t.py --api-key=*** --api_key ***"),
        ("t.py --hf-token sekrit", "t.py --hf-token ***"),
        ("t.py wandb.api_key=abc +a.token=b", "t.py wandb.api_key=*** +a.token=***"),
        ("--sweep password=a,b", "--sweep password=***"),
        ("t.py --db postgres://u:pw@h/x", "t.py --db postgres://u:***@h/x"),
        ("sh -c 'HF_TOKEN=abc t.py --password x y'", "sh -c 'HF_TOKEN=*** t.py --password *** y'"),
        ("curl -H 'Authorization: Bearer abc' x", "curl -H 'Authorization: ***' x"),
        ("""t.py --json '{"api_key": "abc", "lr": 3}'""", """t.py --json '{"api_key": ***, "lr": 3}'"""),
    ],
)
def test_secrets_in_a_command_line(line: str, masked: str) -> None:
    words = tuple(shlex.split(line))
    assert mask_words(words) == tuple(shlex.split(masked))
    assert reveal_words(mask_words(words), hidden_words(words)) == (words, [])
    assert reveal_words(mask_words(words), {})[1]


@pytest.mark.parametrize(
    "line",
    [
        "t.py --tokenizer gpt2 --max-tokens 7 --n_tokens 5 --key-dim 64 --num-keys 3 --monkey x --tokens a,b",
        "t.py --pad-token '<pad>' --use-auth-token true --token-type bpe model.key_dim=4 --password --lr 1",
        "t.py --glob '***' '***' https://host:8080/x",
    ],
)
def test_other_words_stay(line: str) -> None:
    words = tuple(shlex.split(line))
    assert mask_words(words) == words
    assert reveal_words(words, {}) == (words, [])


def test_a_changed_command_line_keeps_its_secrets() -> None:
    hidden = hidden_words(("t.py", "--token", "first", "--lr", "1", "--password=x"))
    changed = ("t.py", "--lr", "2", "--password=***", "--token", MASK)
    assert reveal_words(changed, hidden) == (("t.py", "--lr", "2", "--password=x", "--token", "first"), [])
    assert reveal_words(("t.py", "--hub-token", MASK), hidden)[1] == ["--hub-token"]


_WORDS = ["--password", "--token", "a", "-x", "k=v", "token=t", "sh -c --key z", "u://a:b@c", MASK]


@given(st.lists(st.sampled_from(_WORDS)))
def test_what_is_masked_comes_back(words: list[str]) -> None:
    masked = mask_words(words)
    assert mask_words(masked) == masked
    if MASK not in words:
        assert reveal_words(masked, hidden_words(words)) == (tuple(words), [])
