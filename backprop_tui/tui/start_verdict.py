"""What would become of runs that are not queued yet, in one line under a form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from backprop_tui.client.run_request import SWEEP_OF_WAITING
from backprop_tui.domain.arguments import OptionSyntax
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.lines import Token

if TYPE_CHECKING:
    from backprop_tui.client.dry_run import RunPreview
    from backprop_tui.client.submit import SubmissionPlan
    from backprop_tui.domain.governor.admission import Admit, Hold

Sentence = tuple[str, str, Token]  # a state for its mark, the text, and its color


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class StartVerdict:
    """How many of this many `runs` would start now.

    `message` is about the first that would not, else about the first. `python` is the interpreter with how it was
    found, None if there is no script. `warning` is what `run` would warn of, but for the options that are
    `misspelled`; `syntax` is about the script's options.
    """

    starts: int
    runs: int
    message: str
    is_submitted: bool = False  # to Slurm
    python: str | None = None
    warning: str | None = None
    misspelled: tuple[str, ...] = ()
    syntax: OptionSyntax = field(default_factory=OptionSyntax)

    @property
    def text(self) -> str:
        if self.runs == 1:
            return self.message if self.starts else f"waits: {self.message}"
        if self.starts == self.runs:
            return f"{self.runs} runs: {self.message}" if self.is_submitted else f"{self.runs} runs, all start now"
        return f"{self.runs} runs, {self.starts} start now; the others wait: {self.message}"

    def sentence(self, doubt: str) -> Sentence:
        """What becomes of new runs; `doubt` is what may be wrong with their arguments."""
        if doubt:
            return "conservative", f"{self.text}, but {doubt}", Token.WARN
        return ("completed", self.text, Token.OK) if self.starts else ("waiting", self.text, Token.INFO)

    def of_waiting(self, *, moves: bool) -> Sentence:
        """What becomes of a waiting run that is changed."""
        if self.runs > 1:
            return "failed", f"{SWEEP_OF_WAITING}: N opens a new form", Token.BAD
        place = "its priority decides its place in the queue" if moves else "it keeps its place in the queue"
        return "completed", place, Token.OK


def _why_waiting(decision: Admit | Hold) -> str:
    """The reasons, and the first remedy with the keys for it."""
    from backprop_tui.domain.governor.admission import Admit
    from backprop_tui.domain.governor.reasons import Check
    from backprop_tui.presentation.start_reasons import clauses, first_remedy
    from backprop_tui.tui.screens.draft import place_of_option

    reasons = () if isinstance(decision, Admit) else decision.reasons
    texts, remedy = clauses(reasons), first_remedy(reasons)
    if remedy is not None:
        name, value = remedy
        is_option = name.startswith("-")
        keys = "ctrl+o" if is_option else "esc H" if name == Check.QUEUE_HELD else "esc ,"
        what = place_of_option(name) if is_option else "release the queue" if name == Check.QUEUE_HELD else name
        texts.append(f"sooner with {keys}: {what} {value}".rstrip())
    return "; ".join(texts)


def verdict_from(plans: Sequence[SubmissionPlan], previews: Sequence[RunPreview]) -> StartVerdict:
    """The verdict about the runs of several commands; interpreter and options are those of the first."""
    interpreter = plans[0].program.interpreter
    is_submitted = all(preview.job is not None for preview in previews)
    later = [] if is_submitted else [each for each in previews if not each.starts or each.job is not None]
    about = (*later, *previews)[0]
    if about.job is not None:
        message = "goes to Slurm's queue; Slurm is asked when it is queued"
    elif not about.starts:
        message = _why_waiting(about.decision)
    else:
        gpus = ", ".join(map(str, about.gpu_indices))
        message = f"starts now on GPU {gpus}" if gpus else "starts now"
    from backprop_tui.client.training_source import source_of
    from backprop_tui.domain.resume_arguments import option_syntax
    from backprop_tui.presentation.run_details import with_tilde

    advice = ". ".join(dict.fromkeys(filter(None, (planned.advice(in_form=True) for planned in plans))))
    python = None if interpreter is None else with_tilde(interpreter.path)
    if interpreter is not None and not interpreter.origin.startswith("--python"):
        python = f"{python}: {with_tilde(interpreter.origin)}"
    return StartVerdict(
        starts=len(previews) - len(later),
        runs=len(previews),
        is_submitted=is_submitted,
        message=sanitize(message),
        python=None if python is None else sanitize(python),
        warning=sanitize(advice) or None,
        misspelled=tuple(dict.fromkeys(sanitize(text) for planned in plans for text in planned.misspelled())),
        syntax=option_syntax(source_of(plans[0].program.source or "")),
    )
