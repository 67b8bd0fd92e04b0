"""Which variables and arguments are secret by their name, and a command line without their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

MASK = "***"
HiddenWords = Mapping[str, Sequence[str]]  # true words by what is left of them, in their order; see `hidden_words`

# Without one of these, nothing in a command line is secret; most have none, and the patterns are compiled when needed.
_MARKS = (
    *("pass", "pwd", "pat\n", "pat=", "secret", "credential", "webhook", "cookie", "auth", "aws_", "key", "token"),
    *("jwt", "dsn", "database", "://"),
)


@cache
def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source, re.IGNORECASE | re.DOTALL)


# Names are compared with `_` between their words and without digits at their end. Some words mean a secret wherever
# they are, the short ones only at the end: --hf-token, but not --max-tokens, --token-type or --key-dim.
_ALWAYS = (
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|WEBHOOK|COOKIE|AUTHORIZATION|DATABASE_?URL|^AWS_"
    r"|(?:API|ACCESS|ACCOUNT|PRIVATE|SIGNING|ENCRYPTION)_?KEY"
)
_AT_END = r"(?:^|_)(?:KEY|PASS|PWD|PAT|AUTH|JWT|DSN)$|TOKEN$"
_IN_VARIABLE = r"(?:^|_)(?:KEY|TOKEN|PASS|PWD|AUTH)(?:_|$)"
# Values of an option with one of the short words that are no secret, as in `--pad-token "<pad>"` and `--use-auth true`.
_PLAIN_VALUE = r"[<\[({$].*|-?[\d.]*|true|false|yes|no|none|null|auto"
_URL_LOGIN = r"((?<![A-Za-z0-9+.-])[A-Z][A-Z0-9+.-]*://[^\s/:@]*):[^\s/@]+@"
_NAME = r"[A-Z_][\w.-]*"
_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|(?:Bearer|Basic)\s+[^\s\"']+|[^\s\"';&|,)}]+)"
_AFTER_OPTION = rf"(?<![\w.+~-])(?P<name>--?{_NAME})(?P<link>\s+)(?!-){_VALUE}"
_AFTER_NAME = rf"(?<![\w.+~-])(?P<name>[+~]*-{{0,2}}{_NAME})(?P<link>['\"]?\s*[=:]\s*){_VALUE}"
_WHOLE_WORD = rf"(?P<name>--?{_NAME})=(?P<value>.+)|(?P<key>[+~]*{_NAME})=(?P<plain>\S+)"


def is_secret(name: str, value: str = "") -> bool:
    """Whether the value of a variable is secret: WANDB_API_KEY, DB_PASSWORD, or any URL with a password."""
    plain = _normalized(name)
    is_name = _pattern(_ALWAYS).search(plain) or _pattern(_AT_END).search(plain) or _pattern(_IN_VARIABLE).search(plain)
    return bool(is_name or _pattern(_URL_LOGIN).search(value))


def mask_words(words: Sequence[str]) -> tuple[str, ...]:
    """A command line with *** in place of every secret."""
    return tuple(masked for masked, _ in _masked(words)) if _is_suspicious(words) else tuple(words)


def hidden_words(words: Sequence[str]) -> dict[str, list[str]]:
    """What `mask_words` takes out: by the option before it, or by what is left of the word, the true words."""
    hidden: dict[str, list[str]] = {}
    for word, (masked, key) in zip(words, _masked(words), strict=True) if _is_suspicious(words) else ():
        if masked != word:
            hidden.setdefault(key, []).append(word)
    return hidden


def reveal_words(words: Sequence[str], hidden: HiddenWords) -> tuple[tuple[str, ...], list[str]]:
    """The command line with the true words again, and the options whose values are not known."""
    remaining = {key: list(values) for key, values in hidden.items()}
    revealed: list[str] = []
    unknown: list[str] = []
    for word, (masked, key) in zip(words, _masked(words), strict=True):
        known = remaining.get(key, []) if masked == word and MASK in word else []
        revealed.append(known.pop(0) if known else word)
        if not known and revealed[-1] == word and _was_masked(word, key):
            unknown.append(key.partition("=")[0])
    return tuple(revealed), unknown


def _is_suspicious(words: Sequence[str]) -> bool:
    text = "\n".join((*words, "")).lower()
    return any(mark in text for mark in _MARKS)


def _was_masked(word: str, key: str) -> bool:
    """Whether a word with *** in it got that from `mask_words`; `key` is the option before it, or itself."""
    return MASK in word and (key != word or _mask_word(word.replace(MASK, "value")) == word)


def _masked(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """For each word what is left of it, and the key of its true form in `hidden_words`."""
    option = ""
    for word in words:
        if option.startswith("-") and not word.startswith("-") and _is_secret_value(option, word):
            yield MASK, option
        else:
            masked = _mask_word(word)
            yield masked, masked
        option = word if "=" not in word and " " not in word else ""


def _mask_word(word: str) -> str:
    """A word of a command line, which may be a whole line of a shell or a program."""
    if not _is_suspicious((word,)):
        return word
    whole = _pattern(_WHOLE_WORD).fullmatch(word)
    if whole is not None:
        name, value = whole["name"] or whole["key"], whole["value"] or whole["plain"]
        if _is_secret_value(name, value):
            return f"{name}={MASK}"
    without_passwords = _pattern(_URL_LOGIN).sub(rf"\1:{MASK}@", word)
    return _pattern(_AFTER_NAME).sub(_mask_value, _pattern(_AFTER_OPTION).sub(_mask_value, without_passwords))


def _mask_value(match: re.Match[str]) -> str:
    is_value = _is_secret_value(match["name"], match["value"].strip("\"'"))
    return f"{match['name']}{match['link']}{MASK}" if is_value else match[0]


def _is_secret_value(option: str, value: str) -> bool:
    name = _normalized(option)
    return bool(
        _pattern(_ALWAYS).search(name)
        or (_pattern(_AT_END).search(name) and not _pattern(_PLAIN_VALUE).fullmatch(value))
    )


def _normalized(name: str) -> str:
    """HF_TOKEN for --hf-token, hf.token and hfToken2."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", name)
    return words.strip("_").upper().rstrip("0123456789_")
