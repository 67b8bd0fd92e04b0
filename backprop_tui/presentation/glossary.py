"""What the words of screens and messages mean: for `help WORD`, the dashboard's help and palette, and the docs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status
from backprop_tui.presentation.states import status_word

# `what is a slice`, `explain slice`, `what does holding mean`
_QUESTION = re.compile(
    r"(?:what(?:'s|s| is| are| does| do)?|explain|define|describe|help(?: on| with)?|(?:the )?meaning of)\s+"
    r"(?:(?:is|are|an?|the)\s+)*(?P<topic>\S.*?)(?:\s+means?)?",
    re.IGNORECASE,
)
_LEAST_PLURAL = 4  # letters


class WordKind(StrEnum):
    """What a word stands for, as the heading of these words."""

    STATE = "States of a run"
    QUEUE = "States of the queue"
    MARK = "Marks"
    CHECK = "Checks before a start"
    TERM = "Terms"


@lazy_dataclass(frozen=True, slots=True)
class Word:
    """A word and its meaning.

    `keys` says what keys of the dashboard do about it, `command` is the line that does it elsewhere. `also` are other
    words that find it. `symbol` is its character, or the name of its glyph in the dashboard.
    """

    name: str
    text: str
    keys: str = ""
    command: str = ""
    also: str = ""
    symbol: str = ""
    kind: WordKind = WordKind.TERM

    @property
    def on_screen(self) -> str:
        """The meaning, with the keys."""
        return "; ".join(filter(None, (self.text, self.keys)))


def _state(status: Status, text: str, keys: str = "", command: str = "") -> Word:
    return Word(status_word(status), text, keys, command, also=status, symbol=status, kind=WordKind.STATE)


def _queue(name: str, text: str, keys: str = "", command: str = "") -> Word:
    return Word(name, text, keys, command, symbol=name, kind=WordKind.QUEUE)


def _mark(glyph: str, text: str, keys: str = "", command: str = "") -> Word:
    return Word(glyph.replace("_", " "), text, keys, command, symbol=glyph, kind=WordKind.MARK)


def _check(name: str, check: Check, text: str, keys: str = "", command: str = "") -> Word:
    return Word(name, text, keys, command, also=f"{check} check", kind=WordKind.CHECK)


_RESUME = "r resumes it from its checkpoint", "backprop-tui resume RUN"
_RELEASE = "H releases it", "backprop-tui queue release"

# States, marks, checks and terms; in the commands, `RUN` and `GROUP` stand for a name or an id.
GLOSSARY = (
    _state(Status.QUEUED, "waits; the run's details say for what", "", "backprop-tui status RUN"),
    _state(Status.STARTING, "its process is being started"),
    _state(Status.RUNNING, "its script runs"),
    _state(
        Status.PAUSED,
        "its processes are frozen, by you or because a GPU is too hot; GPU memory stays in use",
        "p continues it",
        "backprop-tui continue RUN",
    ),
    _state(Status.STOPPING, "it was asked to save and end", "S kills it", "backprop-tui stop --now RUN"),
    _state(Status.COMPLETED, "its script ended with exit code 0"),
    _state(
        Status.TIMEBOXED,
        "it reached its time limit",
        "r resumes it from its newest checkpoint",
        "backprop-tui resume RUN",
    ),
    _state(Status.STOPPED, "a user or the guard stopped it, or a run that it waited for failed", *_RESUME),
    _state(Status.FAILED, "its script ended with an error; its card says why", "", "backprop-tui status RUN"),
    _state(Status.LOST, "nothing more is heard of it and nobody saw how it ended", *_RESUME),
    _queue("open", "the queue is open: a run starts when its checks pass"),
    _queue("held", "the queue is held: nothing new starts until it is released", *_RELEASE),
    _queue("conservative", "readings of the machine are missing: one run at a time"),
    _mark("checkpoint", "a file or directory that the script saved, or announced, to continue from later"),
    _mark("best", "the best run of its group, by the objective", "b goes to it", "backprop-tui show GROUP@best"),
    _mark("mark", "marked: keys act on all marked runs"),
    _mark("start", "a start that is left; a run that starts takes one"),
    _mark("start_spent", "a start that is spent; it comes back with time (governor.starts_per_minute)"),
    _mark("group_open", "a group whose runs are listed below it", "h folds it"),
    _mark("group_shut", "a group that is folded", "l unfolds it"),
    _mark("ascending", "sorted by this column, the smallest first"),
    _mark("descending", "sorted by this column, the largest first"),
    _mark("following", "the log follows its end"),
    _mark("cursor", "the row under the cursor"),
    _mark("point", "a value of a validation metric"),
    _mark("read_point", "the point of the curve under the cursor"),
    _mark("edge_error", "an error in this part of the log"),
    _mark("edge_warning", "a warning in this part of the log"),
    _check("after", Check.DEPENDENCY, "a run that has to end first, given with --after"),
    _check("slots", Check.PARALLEL, "how many runs may be active at a time: max_parallel"),
    _check("starts", Check.STARTS, "how many runs may start now: governor.start_burst, governor.starts_per_minute"),
    _check("hold", Check.QUEUE_HELD, "the queue is held", *_RELEASE),
    _check("Slurm", Check.SLURM, "its job waits in the queue of the cluster"),
    _check("GPUs usable", Check.GPU_COUNT, "GPUs that pass every check of theirs"),
    _check("GPU", Check.GPU_MEMORY, "free memory, temperature and health of a GPU"),
    _check("GPU probe", Check.PROBE, "whether the GPUs can be read; doctor says more", "", "backprop-tui doctor"),
    _check("disk free", Check.DISK, "space that has to stay free for checkpoints and logs"),
    _check("RAM free", Check.RAM, "memory of the machine that has to stay free"),
    _check("CPU load", Check.LOAD, "the load per core, which has to be below a limit"),
    _check("host", Check.HOST, "the machine that the run belongs to has not been seen for minutes"),
    _check("record", Check.RECORD, "the files of the run cannot be read or written"),
    _check("gpu_health", Check.GPU_HEALTH, "a GPU reports errors or cannot be read"),
    _check("gpu_temperature", Check.GPU_TEMPERATURE, "a GPU is too hot for another run: gpu.max_temp_c"),
    Word(
        "run",
        "one training that was queued, with an id; it may take several attempts",
        "n starts one",
        "backprop-tui run train.py",
        also="experiment job",
    ),
    Word(
        "timebox",
        "the time limit of a run, 10 minutes by default",
        "t extends it",
        "backprop-tui edit RUN -m 2h",
        also="timeout limit",
    ),
    Word(
        "slice",
        "a part of a long training (--total-minutes, --until): it ends at its timebox, the next one resumes",
        command="backprop-tui run -m 30 --total-minutes 12h train.py",
    ),
    Word("attempt", "one start of the run's script; a retry, a slice and a resume make another one"),
    Word(
        "retry",
        "another attempt after a failure that another start can help, if the run has some left (--retries)",
        "r retries a failed run now",
        "backprop-tui resume RUN",
    ),
    Word(
        "group",
        "runs that belong together, such as those of a sweep; its row stands for all of them",
        command="backprop-tui show GROUP",
    ),
    Word(
        "sweep",
        "one command queued once for each combination of values; its runs are a group",
        "a,b,c as the value of an argument makes one in the form of n",
        "backprop-tui run --sweep lr=1e-3,1e-4 --sweep seed=1..3 train.py",
        also="grid search array",
    ),
    Word(
        "seed",
        "an argument whose name contains seed: runs that differ in nothing else are averaged",
        command="backprop-tui show GROUP --over seed",
        also="repetition",
    ),
    Word(
        "baseline",
        "the run or setting that others of its group are compared with",
        "P pins it",
        "backprop-tui baseline RUN",
    ),
    Word(
        "objective",
        "the metric that decides which run is best: run.objective, --objective",
        command="backprop-tui edit RUN --objective val_loss:min",
        also="goal",
    ),
    Word(
        "queue",
        "the runs that wait, in their order: higher priority first",
        "J and K move a run, H holds the queue",
        "backprop-tui queue",
    ),
    Word(
        "priority",
        "a whole number, 0 by default: what is higher starts first",
        "J and K move a run",
        "backprop-tui queue priority RUN 5",
    ),
    Word("governor", "the checks that a run has to pass before it starts", command="backprop-tui status"),
    Word("guard", "pauses or stops runs on a GPU that is too hot or whose memory limit is exceeded"),
    Word("supervisor", "the process that starts waiting runs; it begins by itself, and ends when no work is left"),
    Word("guardian", "the process beside each run that keeps its timebox, reads its log and records its end"),
    Word("leftovers", "processes that a script left running; the run lasts while they work"),
    Word("provisional", "before a mean: not all of its runs have ended", symbol="~"),
    Word("spread", "the standard deviation over the seeds of a setting", symbol="±", also="deviation"),
    Word("holding", "the governor lets no run start now: something is short", command="backprop-tui status"),
    Word("heat", "a run is paused while its GPU is above gpu.max_temp_c", also="hot overheat"),
    Word(
        "log out",
        "whether runs survive it is said when you leave; doctor says how to change it",
        command="backprop-tui doctor",
        also="logout linger",
    ),
    Word(
        "remedy",
        "what lets a waiting run start",
        "enter on a check in its details carries it out",
        "backprop-tui status RUN",
    ),
    Word("unclaimed", "free GPU memory, less what runs that just started may take"),
    Word(
        "state directory",
        "where runs, logs and the queue are kept",
        command="backprop-tui doctor",
        also="store home folder",
    ),
)


def asked_word(search: str) -> str:
    """What is asked for: `slice` of `what is a slice?`; other text as it is."""
    text = " ".join(search.split())
    question = _QUESTION.fullmatch(text.rstrip("?! "))
    return text if question is None else question["topic"].strip("\"'`")


def folded(name: str) -> str:
    """Equal for spellings of the same word: small letters, blanks for `_` and `-`, no `s` of a plural."""
    text = re.sub(r"[-_\s]+", " ", name.lower()).strip()
    return text[:-1] if len(text) >= _LEAST_PLURAL and text.endswith("s") and not text.endswith("ss") else text


def is_among(name: str, others: Iterable[str]) -> bool:
    """Whether a word is one of these, in whatever spelling."""
    return folded(name) in map(folded, others)
