"""Causes: problems of a shared machine: ports, open files, prompts, logins, GPUs, drivers, the network."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.python import summary_of_exceptions
from backprop_tui.domain.run import Cause

_PORT_TAKEN = (
    r"EADDRINUSE|[Aa]ddress already in use|another process is utilizing it|could not bind to (?:port|address)"
    r"|[Pp]ort \d+ (?:is )?(?:already )?in use"
)
_PORT = (
    r"\b[Pp]ort[:=]? `?(\d{2,5})\b",
    r"(?:localhost|\d|\]|\*):(\d{2,5})\b",
    r"--(?:main|master)[-_](?:process_)?port[ =](\d+)",
)
_FREE_PORT = (
    "choose a free port: torchrun --standalone or --rdzv-endpoint localhost:0, accelerate launch --main_process_port 0,"
    " --env MASTER_PORT=N elsewhere; or try again when it is free"
)


def port(clues: Clues) -> Cause | None:
    """Recognizes a TCP port that another process listens on."""
    hit = clues.find_at_end(_PORT_TAKEN)
    if hit is None:
        return None
    number = _port_number(f"{hit.text}\n{' '.join(clues.facts.command)}")
    holder = None if number is None else clues.facts.port_holder(number)
    summary = f"{'a port' if number is None else f'port {number}'} is taken{'' if holder is None else f' by {holder}'}"
    return build_cause("port_in_use", at=hit.line, summary=summary, advice=_FREE_PORT, retryable=True)


def _port_number(text: str) -> int | None:
    for pattern in _PORT:
        match = re.search(pattern, text)
        if match is not None and 0 < int(match[1]) < 1 << 16:
            return int(match[1])
    return None


_OPEN_FILES = r"[Tt]oo many open files|\[Errno 2[34]\]|received \d+ items of ancdata|\bEMFILE\b"


def open_files(clues: Clues) -> Cause | None:
    """Recognizes the limit of open files."""
    hit = clues.find_at_end(_OPEN_FILES)
    if hit is None:
        return None
    limit = clues.facts.open_files
    advice = "use fewer loader workers, or raise ulimit -n in the shell and queue it again from there"
    if "ancdata" in hit.text or "torch_" in hit.text:
        advice += "; torch.multiprocessing.set_sharing_strategy('file_system') needs fewer"
    summary = "too many open files" + ("" if limit is None else f": the limit is {limit} (ulimit -n)")
    return build_cause("open_files", at=hit.line, summary=summary, advice=advice)


_PROMPT = (
    r"^EOFError: EOF when reading a line|^(?:termios\.)?error: \(25,|No such device or address: '/dev/tty'"
    r"|^(?:bdb\.)?BdbQuit\b|^click\.exceptions\.Abort$|Input is not a terminal"
)
_NO_KEYBOARD = "a queued run has no keyboard: "
_ANSWER = "give the answer as an option of the script, a key or password with --env"
_WANDB_ANSWER = "set the key with --env WANDB_API_KEY=..., or go without it: --env WANDB_MODE=offline"
# A prompt does not end its line, so what follows is appended to it.
_QUESTION = r"^(?P<prompt>.*[^\s.]) ?(?:Traceback \(most recent call last\):|Aborted[!.])$"
_MAX_PROMPT, _PROMPT_LINES = 100, 80


def keyboard(clues: Clues) -> Cause | None:
    """Recognizes a script that asked for input: a question, a password, a debugger."""
    hit = clues.find_at_end(_PROMPT) or (None if clues.exceptions else clues.find_at_end(r"^Aborted[!.]$"))
    raised = clues.raised
    if hit is None and raised is not None and raised.name == "EOFError" and raised.passed_through(r"/getpass\.py$"):
        hit = clues.find("^EOFError")
    if hit is None:
        return None
    is_wandb = any("wandb" in line.text for line in clues.lines[-_PROMPT_LINES:])
    questions = (re.search(_QUESTION, line.text) for line in reversed(clues.lines[-_PROMPT_LINES:]))
    prompt = next((question["prompt"][-_MAX_PROMPT:] for question in questions if question is not None), None)
    return build_cause(
        "input_required",
        at=hit.line,
        summary="it asked for input" + ("" if prompt is None else f': "{prompt.strip()}"'),
        advice=_NO_KEYBOARD + (_WANDB_ANSWER if is_wandb else _ANSWER),
    )


_ASKS_FOR_LOGIN = (
    r"(?i:\b(?:40[13] Client Error|HTTP(?: Error|Error)?:? 40[13]\b)|401 Unauthorized|invalid (?:user )?token"
    r"|api[ _]key (?:is )?(?:not|missing)|Unable to locate credentials|(?:please|must) (?:log in|be authenticated))"
    r"|LoginRequired|MissingApiToken"
)
_NO_ACCESS: tuple[tuple[str, str, str], ...] = (
    (
        r"gated repo|GatedRepoError|Access to (?:model|dataset) \S+ is restricted",
        "no access to a gated repository",
        "request access on its page, and log in: hf auth login, or --env HF_TOKEN=...",
    ),
    (
        r"No API key configured|api_key not configured|\bwandb login\b|wandb\.login\(|WANDB_API_KEY",
        "not logged in to Weights & Biases",
        "wandb login, or --env WANDB_API_KEY=...; --env WANDB_MODE=offline works without",
    ),
    (
        _ASKS_FOR_LOGIN,
        "a server requires a login or refused access",
        "log in, or set the key or token with --env; check the permissions of this account",
    ),
)


def login(clues: Clues) -> Cause | None:
    """Recognizes a server or tracker that needs a login."""
    for pattern, summary, advice in _NO_ACCESS:
        hit = clues.find_at_end(pattern)
        if hit is not None and (
            clues.exceptions or re.match(r"(?:wandb: )?(?:ERROR\b|[Ee]rror:)|.*No API key", hit.text)
        ):
            return build_cause("login_required", at=hit.line, summary=summary, advice=advice)
    return None


_CPU_BUILD = r"not compiled with CUDA enabled|PyTorch not linked with support for cuda|Torch not compiled with"
_NO_GPU = (
    r"Found no NVIDIA driver|No CUDA GPUs are available|[Nn]o CUDA-capable device is detected|CUDA_ERROR_NO_DEVICE"
    r"|No HIP GPUs are available|hipErrorNoDevice|torch\.cuda\.is_available\(\) is False"
    r"|[Nn]o (?:supported )?gpu(?:\(s\)|s)? (?:backend |devices? )?(?:were |was )?(?:found|available)\b"
    r"|No supported gpu backend found|CUDAAccelerator.*can not run|MPS (?:backend|device) .*not (?:available|built)"
    r"|invalid device ordinal|Unknown backend:? '?(?:cuda|gpu)|CUDA is not available"
)
_USE_CPU = "choose the CPU (such as --device=cpu), or a machine with a GPU"


def no_gpu(clues: Clues) -> Cause | None:
    """Recognizes a script that needs a GPU but has none, or a framework built without GPU support."""
    hit = clues.find(f"{_CPU_BUILD}|{_NO_GPU}") if clues.exceptions else None
    if hit is None or (clues.facts.gpu_indices and "CUDA-capable device" in hit.text):
        return None
    facts = clues.facts
    if facts.machine_gpus == 0:
        summary, advice = "it needs a GPU, and this machine has none", _USE_CPU
    elif re.search(_CPU_BUILD, hit.text):
        summary = "this interpreter's framework is built without GPU support"
        advice = "install the CUDA build, choose another interpreter with --python, or the CPU (such as --device=cpu)"
    elif "ordinal" in hit.text:
        count = len(facts.gpu_indices)
        summary = "it uses a GPU index that does not exist" + (f": the run has {count}" if count else "")
        advice = "give it more with --gpus N, or start fewer processes; inside a run GPUs count from 0"
    elif facts.hidden_gpus is not None:
        summary, advice = (
            f"it needs a GPU and saw none: {facts.hidden_gpus}",
            "give it one with --gpus 1, or choose the CPU",
        )
    else:
        summary = "it needs a GPU and found none"
        advice = f"check nvidia-smi and CUDA_VISIBLE_DEVICES; {_USE_CPU}"
    return build_cause("no_gpu", at=hit.line, summary=summary, advice=advice)


_OLD_DRIVER = (
    r"driver on your system is too old|driver is too old|driver version is insufficient|cudaErrorInsufficientDriver"
    r"|CUDA_ERROR_COMPAT_NOT_SUPPORTED|forward compatibility was attempted|CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
    r"|PTX was compiled with an unsupported toolchain"
)


def driver(clues: Clues) -> Cause | None:
    """Recognizes a driver that is older than what the framework was built for."""
    hit = clues.find_at_end(_OLD_DRIVER)
    if hit is None:
        return None
    version = re.search(r"found version (\d+)", hit.text)
    supports = (
        "" if version is None else f" (it supports CUDA {int(version[1]) // 1000}.{int(version[1]) % 1000 // 10})"
    )
    return build_cause(
        "driver_too_old",
        at=hit.line,
        summary=f"the NVIDIA driver is too old for this build{supports}",
        advice="update the driver, or install a build for an older CUDA (nvidia-smi shows which it supports)",
    )


_NETWORK = (
    r"Max retries exceeded|[Tt]emporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|No route to host|Read timed out|ReadTimeout|ConnectTimeout|RemoteDisconnected|IncompleteRead"
    r"|ChunkedEncodingError|\bURLError\b|ClientConnectorError|[Cc]ouldn't connect to ['\"]?https?:"
    r"|LocalEntryNotFoundError|SSLError|SSLEOFError"
    r"|HTTP(?:Error|StatusError)?:? (?:Error )?(?:429|5\d\d)\b|\b(?:429 Client|5\d\d Server) Error|Connection refused"
    r"|^(?:\w+\.)*(?:ConnectionError|ConnectionResetError|ConnectionRefusedError|ConnectionAbortedError|TimeoutError)\b"
    r"|client socket has timed out|client socket has failed to connect"
)


def network(clues: Clues) -> Cause | None:
    """Recognizes a server, or another rank, that did not answer."""
    hit = clues.find(_NETWORK) if clues.exceptions else None
    if hit is None:
        return None
    advice = "the network or a server did not answer: --retries tries again"
    if re.search(r"client socket|Dist(?:Network|Store)Error|TCPStore", hit.text):
        advice = (
            "the first rank did not answer: is it running, and are MASTER_ADDR and MASTER_PORT those of its machine?"
        )
    return build_cause("network", at=hit.line, summary=summary_of_exceptions(clues), advice=advice, retryable=True)


_WORKER_EXIT = (
    r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) exited unexpectedly"
    r"|unable to open shared memory object .*: No such file or directory"
    r"|A (?:process in the process pool was|child process) terminated abruptly"
    r"|^.*process \d+ terminated with signal SIGKILL"
)
_TRANSPORT = r"/torch/multiprocessing/reductions\.py$|/multiprocessing/resource_sharer\.py$"
_BROKEN_TRANSPORT = (
    "ConnectionResetError",
    "ConnectionRefusedError",
    "EOFError",
    "BrokenPipeError",
    "FileNotFoundError",
)
_WORKER_ADVICE = (
    "often killed for lack of memory or /dev/shm: use fewer loader workers or a smaller batch;"
    " num_workers=0 shows errors of the data set itself"
)


def worker(clues: Clues) -> Cause | None:
    """Recognizes a worker, mostly of a data loader, that died without an exception of its own."""
    hit = worker_death(clues)
    if hit is None or clues.signal is not None:
        return None
    worker_name = "a worker process" if " terminated " in hit.match[0] else "a data loader's worker"
    return build_cause(
        "worker_died",
        at=hit.line,
        summary=f"{worker_name} died: {hit.line.text}",
        advice=_WORKER_ADVICE,
        retryable=True,
    )


def worker_death(clues: Clues) -> Hit | None:
    """The message about a dead worker of a data loader, or about the broken connection to it."""
    raised = clues.raised
    if raised is not None and raised.name in _BROKEN_TRANSPORT and raised.passed_through(_TRANSPORT):
        return clues.find(rf"^(?:\w+\.)*{raised.name}\b")
    return clues.find(_WORKER_EXIT) if clues.exceptions else None
