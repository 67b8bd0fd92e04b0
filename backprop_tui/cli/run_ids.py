"""Ids of new runs: short, safe in file names and shells, and told apart by their first letters."""

from __future__ import annotations

import os

LENGTH = 8
# Without i, l, o and u: read aloud and typed again, none is taken for another. See Crockford's base 32.
_LETTERS = "abcdefghjkmnpqrstvwxyz"
_ALPHABET = "0123456789" + _LETTERS


def new_run_id() -> str:
    """A random id."""
    return _spelled(os.urandom(LENGTH))


def run_id_of_key(key: str, number: int) -> str:
    """The id of the n-th run that a submission key makes: always the same, so that no retry can make a second one."""
    import hashlib  # only for this

    return _spelled(hashlib.sha256(f"{number} {key}".encode("utf-8", "surrogateescape")).digest())


def _spelled(source: bytes) -> str:
    """It begins with a letter: a spreadsheet takes 1e234567 for a number."""
    first = _LETTERS[source[0] % len(_LETTERS)]
    return first + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in source[1:LENGTH])
