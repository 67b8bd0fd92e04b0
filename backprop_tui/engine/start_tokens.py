"""The start tokens on disk, which each supervisor of this machine takes over from the one before."""

from __future__ import annotations

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.governor.tokens import TokenBucket, full_bucket
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.codec import decode
from backprop_tui.store.fields import WrongField
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import Home


def read_tokens(home: Home, now: float, limits: MachineLimits) -> TokenBucket:
    """The stored bucket; a full one if nothing was started since the machine booted."""
    try:
        source = read_object(home.start_tokens)
        if source is not None and source.get("boot_id") == boot_id():
            return decode(TokenBucket, source)
    except (BackpropError, WrongField):
        # A broken file counts as missing: one burst too many does less harm than a queue that never starts anything.
        return full_bucket(now, limits)
    return full_bucket(now, limits)


def write_tokens(home: Home, bucket: TokenBucket) -> None:
    """Stores the bucket for the next supervisor.

    Raises:
        StorageFailed: the next supervisor may grant the same start again.
    """
    content = dump({"tokens": bucket.tokens, "as_of": bucket.as_of, "boot_id": boot_id()})
    write_atomically(home.start_tokens, content, durable=False)
