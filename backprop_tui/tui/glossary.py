"""What the states, marks and words on the screens mean: for the help page and the command palette."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.config.keys import KEYS
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status
from backprop_tui.presentation.states import status_word
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import STATE_TOKENS, Token

_STATES = {
    Status.QUEUED: "waits; the run's details say for what",
    Status.STARTING: "its process is being started",
    Status.RUNNING: "its script runs",
    Status.PAUSED: "its processes are frozen, by you or because a GPU is too hot; GPU memory stays in use",
    Status.STOPPING: "it was asked to save and end",
    Status.COMPLETED: "its script ended with exit code 0",
    Status.TIMEBOXED: "it reached its time limit; r resumes it from its checkpoint",
    Status.STOPPED: "a user stopped it",
    Status.FAILED: "its script ended with an error; its card says why",
    Status.LOST: "nothing more is heard of it and nobody saw how it ended",
}
_QUEUE_STATES = {
    "open": "the queue is open: a run starts when its checks pass",
    "held": "the queue is held: nothing new starts until it is released (H)",
    "conservative": "readings of the machine are missing: one run at a time",
}
_MARKS = {
    "checkpoint": "a checkpoint that the script announced or saved",
    "best": "the best run of its group, by the objective",
    "mark": "marked: keys act on all marked runs",
    "start": "a start that is left; a run that starts takes one",
    "start_spent": "a start that is spent; it comes back with time (governor.starts_per_minute)",
    "group_open": "a group whose runs are listed below it",
    "group_shut": "a group that is folded; l unfolds it",
    "ascending": "sorted by this column, the smallest first",
    "descending": "sorted by this column, the largest first",
    "following": "the log follows its end",
    "cursor": "the row under the cursor",
    "point": "a value of a validation metric",
    "read_point": "the point of the curve under the cursor",
    "edge_error": "an error in this part of the log",
    "edge_warning": "a warning in this part of the log",
}
_CHECKS = {
    "after": (Check.DEPENDENCY, "a run that has to end first, given with --after"),
    "slots": (Check.PARALLEL, "how many runs may be active at a time: max_parallel"),
    "starts": (Check.STARTS, "how many runs may start now: governor.start_burst, governor.starts_per_minute"),
    "hold": (Check.QUEUE_HELD, "the queue is held; H releases it"),
    "Slurm": (Check.SLURM, "its job waits in the queue of the cluster"),
    "GPUs usable": (Check.GPU_COUNT, "GPUs that pass every check of theirs"),
    "GPU": (Check.GPU_MEMORY, "free memory, temperature and health of a GPU"),
    "GPU probe": (Check.PROBE, "whether the GPUs can be read; doctor says more"),
    "disk free": (Check.DISK, "space that has to stay free for checkpoints and logs"),
    "RAM free": (Check.RAM, "memory of the machine that has to stay free"),
    "CPU load": (Check.LOAD, "the load per core, which has to be below a limit"),
    "host": (Check.HOST, "the machine that the run belongs to has not been seen for minutes"),
    "record": (Check.RECORD, "the files of the run cannot be read or written"),
    "gpu_health": (Check.GPU_HEALTH, "a GPU reports errors or cannot be read"),
    "gpu_temperature": (Check.GPU_TEMPERATURE, "a GPU is too hot for another run: gpu.max_temp_c"),
}
_TERMS = {
    ("", "timebox"): "the time limit of a run, 10 minutes by default; t extends it",
    ("", "slice"): "a part of a long training (--total-minutes, --until): it ends at its timebox, the next one resumes",
    ("", "attempt"): "one start of the run's script; a retry, a slice and a resume make another one",
    ("", "baseline"): "the run or setting that others of its group are compared with; P pins it",
    ("", "objective"): "the metric that decides which run is best: run.objective, --objective",
    ("", "governor"): "the checks that a run has to pass before it starts",
    ("", "guard"): "pauses or stops runs on a GPU that is too hot or whose memory limit is exceeded",
    ("", "leftovers"): "processes that a script left running; the run lasts while they work",
    ("~", "provisional"): "before a mean: not all of its runs have ended",
    ("±", "spread"): "the standard deviation over the seeds of a setting",
    ("", "holding"): "the governor lets no run start now: something is short",
    ("", "heat"): "a run is paused while its GPU is above gpu.max_temp_c",
    ("", "log out"): "whether runs survive it is said when you leave; doctor says how to change it",
    ("", "remedy"): "what lets a waiting run start: enter on a check in its details",
    ("", "unclaimed"): "free GPU memory, less what runs that just started may take",
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word or mark of the screens; `also` are other words that find it. A `setting` is listed only in a search."""

    name: str
    text: str
    glyph: str = " "
    token: Token = Token.FG
    also: str = ""
    setting: bool = False

    def matches(self, search: str) -> bool:
        """A single character is a glyph; longer text is searched for everywhere, and settings need a search."""
        if len(search) <= 1:
            return not self.setting if not search else search == self.glyph
        return search.lower() in f"{self.glyph} {self.name} {self.also} {self.text}".lower()


def glossary(glyphs: Glyphs) -> Iterator[Term]:
    """States, marks and terms, then the settings."""
    for state, text in _STATES.items():
        glyph, token = glyphs.state(state), STATE_TOKENS[state]
        yield Term(name=status_word(state), text=text, glyph=glyph, token=token, also=state)
    for name, text in _QUEUE_STATES.items():
        yield Term(name=name, text=text, glyph=glyphs.state(name), token=Token.WARN if name != "open" else Token.OK)
    for name, text in _MARKS.items():
        yield Term(name=name.replace("_", " "), text=text, glyph=getattr(glyphs, name), token=Token.ACCENT)
    for name, (check, text) in _CHECKS.items():
        yield Term(name=name, text=text, also=f"{check} check")
    for (glyph, name), text in _TERMS.items():
        yield Term(name=name, text=text, glyph=glyph or " ")
    for key in KEYS.values():
        yield Term(name=key.name, text=key.help, also=f"setting {key.synonyms}", setting=True)
