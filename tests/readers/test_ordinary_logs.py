"""Logs unrelated to training yield nothing: builds, installers, servers, tracebacks, prose."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

import pytest

from backprop_tui.readers.log_reader import LogReader

LINES_OF_A_KIND = 20_000

TRAINING_WORDS = ("loss", "epoch", "step", "checkpoint", "accuracy", "training", "model", "saved", "total", "iteration")
WORDS = (*TRAINING_WORDS, "error", "warning", "path", "package", "cache", "tensor", "the", "of", "and", "with", "was")
CHUNK_BYTES = 10_007  # no divisor of anything: lines are cut everywhere


def _figure(rng: random.Random) -> str:
    return rng.choice((str(rng.randrange(10_000)), f"{rng.random():.4f}", "nan", "0", "-1"))


def _words(rng: random.Random, count: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(count))


def build_log(rng: random.Random) -> Iterator[str]:
    """Make, CMake, ninja, docker, webpack."""
    part, whole, word = rng.randrange(400), 400, rng.choice(WORDS)
    yield f"[{part}/{whole}] Building CXX object src/{word}.cc.o"
    yield f"[ {part // 4}%] Linking CXX static library lib{word}.a\r"
    yield f"g++ -DSTEP={part} -DLOSS='{{\"loss\"}}' -o {word}.o -c {word}.cc"
    yield f"#{part} [{part % 9}/9] RUN echo ${{STEP}} {{epoch}}"
    yield f'{{"stream":"Step {part}/9 : RUN make {word}\\n"}}'
    yield f'{{"status":"Downloading","progressDetail":{{"current":{part},"total":{whole}}},"id":"{part:x}"}}'
    yield f"src/{word}.c:{part}:9: warning: unused variable '{word}' {{ {word} = {part}; }}"
    yield f'asset {word}.js {part} KiB {{"{word}.js": {part}}}'


def installer_log(rng: random.Random) -> Iterator[str]:
    """Pip, apt, npm."""
    part, word = rng.randrange(400), rng.choice(WORDS)
    yield f"Collecting {word}>={part}.1 (from -r requirements.txt (line {part}))"
    yield f"  Downloading {word}-{part}.0-cp311-manylinux.whl ({part} kB)"
    yield f"     \x1b[90m{'━' * (part % 40)}\x1b[0m \x1b[32m{part}/400 kB\x1b[0m \x1b[31m9.1 MB/s\x1b[0m eta 0:00:01\r"
    yield f"Requirement already satisfied: {word} in ./lib (from {word}) ({part}.0)"
    yield f"Get:{part} http://deb.debian.org stable/main {word} [{part} kB]"
    yield f'npm warn {{"name": "{word}", "version": "{part}.0.1", "size": {part}}}'
    yield f'{{"package": "{word}", "files": {part}, "optional": false, "scripts": {{"step": 1, "loss": 2}}}}'


def traceback_log(rng: random.Random) -> Iterator[str]:
    """Tracebacks and the values that people print beside them."""
    line, word = rng.randrange(900), rng.choice(WORDS)
    yield "Traceback (most recent call last):"
    yield f'  File "/srv/{word}.py", line {line}, in {word}'
    yield f'    {word} = {{"step": {word}, "loss": float({line})}}'
    yield f'    raise ValueError(f"{{step}} {{loss:.3f}} {word}")'
    yield f"KeyError: '{word}'"
    yield f"ValueError: {{'step': {line}, 'loss': {line}.5}}"
    yield f'json.decoder.JSONDecodeError: Expecting value: line 1 column {line} (char {line}) {{"step": '
    yield f"  0x7f{line:08x} in <{word}::{{closure#{line}}}> at {word}.rs:{line}"


def server_log(rng: random.Random) -> Iterator[str]:
    """Structured logs, configurations and pretty-printed JSON."""
    port, word = rng.randrange(65_536), rng.choice(WORDS)
    yield json.dumps({"level": "info", "ts": 1_700_000_000.5 + port, "msg": _words(rng, 4), "port": port})
    yield json.dumps({"time": "2025-01-01T00:00:00Z", "epoch": 1_700_000_000 + port, "host": word})
    yield json.dumps({"lr": 1e-3, "batch_size": port, "max_steps": 1000, "model": word, "name": "loss"})
    yield json.dumps({"event": f"{word}_asked", "path": f"/{word}", "status": 200, "seconds": rng.random()})
    yield json.dumps([port, {"name": word, "total": port}])
    yield f'2025-01-01 12:00:00,123 INFO request {{"path": "/{word}", "ms": {port}}}'
    yield f'  "trainer": {{"step": {port}, "loss": {port}.5}},'
    yield f'  "{word}": {port},'


def prose(rng: random.Random) -> Iterator[str]:
    """Sentences with the words of training and figures in them."""
    yield f"{_words(rng, 6).capitalize()} {_figure(rng)} {_words(rng, 3)}."
    yield f"{rng.choice(WORDS)}: {_figure(rng)} {{{_words(rng, 2)}}} {rng.choice(WORDS)}={_figure(rng)}"
    yield f'{{{rng.choice(WORDS)}: {_figure(rng)}}} "{rng.choice(WORDS)}": {_figure(rng)}'


@pytest.mark.parametrize("kind", [build_log, installer_log, traceback_log, server_log, prose])
def test_an_ordinary_log_yields_nothing(kind: Callable[[random.Random], Iterator[str]]) -> None:
    rng = random.Random(2025)
    lines: list[str] = []
    while len(lines) < LINES_OF_A_KIND:
        lines += kind(rng)
    log = "\n".join(lines).encode()
    reader = LogReader()
    for start in range(0, len(log), CHUNK_BYTES):
        assert reader.feed(log[start : start + CHUNK_BYTES]) == []
    assert reader.finish() == []


@pytest.mark.parametrize("kind", [build_log, installer_log, traceback_log, server_log, prose])
def test_a_training_line_among_ordinary_ones_is_found(kind: Callable[[random.Random], Iterator[str]]) -> None:
    lines = [*kind(random.Random(1)), '{"step": 7}', *kind(random.Random(2))]
    assert [value.step for value in LogReader().feed("\n".join(lines).encode())] == [7]
