"""The verdict on a resumed attempt: whether its script really continued; `resume_check` gives it."""

from __future__ import annotations

from enum import StrEnum

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


class ResumeVerdict(StrEnum):
    CONTINUED = "continued"
    RECOUNTED = "recounted"  # the training continued, but its counter restarted
    RESTARTED = "restarted"  # the training started over, or far before its checkpoint
    JUMPED = "jumped"  # the loss jumped, or the counter by more than is possible in the time
    UNKNOWN = "unknown"  # not enough evidence


NOTHING_LEFT = "nothing was left to train"  # the message of an unknown verdict that is no reason to worry
_UNCONFIRMED = "resume not confirmed: "  # at the start of a message that an earlier version wrote
DOUBTFUL = frozenset({ResumeVerdict.RESTARTED, ResumeVerdict.JUMPED})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCheck:
    """The verdict on one attempt and the values it is based on; `metric` names the loss, None if none is known."""

    verdict: ResumeVerdict
    attempt: int
    message: str
    metric: str | None = None
    step_before: int | None = None
    step_after: int | None = None
    epoch_before: float | None = None
    epoch_after: float | None = None
    loss_before: float | None = None
    loss_after: float | None = None

    @property
    def is_doubtful(self) -> bool:
        return self.verdict in DOUBTFUL

    @property
    def is_known(self) -> bool:
        return self.verdict is not ResumeVerdict.UNKNOWN


def attempt_message(attempt: object, verdict: object, message: object) -> str:
    """`attempt 2 restarted at step 1 after 40`, as events and both front ends show it."""
    return (
        f"attempt {attempt}{':' if verdict == ResumeVerdict.UNKNOWN else ''} {str(message).removeprefix(_UNCONFIRMED)}"
    )
