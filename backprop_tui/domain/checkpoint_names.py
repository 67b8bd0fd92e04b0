"""Recognizes checkpoints by name: their role, and the step or epoch in the name.

The rules are about words and numbers, not about frameworks; the names of widely used trainers are in the tests.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import IntEnum
from posixpath import basename, dirname, splitext

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.word_set import word_set

MAX_PART_DEPTH = 4  # directory levels between a checkpoint directory and its parts


class FileRole(IntEnum):
    """What a file of a save contains; to resume a training, the highest role is loaded."""

    PART = 0  # not usable alone: optimizer, discriminator, random state; or no state: samples, metrics
    EXPORT = 1  # weights for inference: an average, an adapter, a converted model
    MODEL = 2
    STATE = 3  # everything a resume needs


_PARTS = word_set(
    "optimizer optimizers optim scheduler sched scaler rng random discriminator disc dis netd buffer replay "
    "vecnormalize prediction predictions pred preds sample samples logits embedding embeddings emb latent "
    "latents feature features feats tokenizer vocab vocabulary dataset datasets cache events grid grids "
    "processed preprocessed activation activations attention gradient gradients grad grads recon reconstruction "
    "reconstructions vis viz visualization visualizations video videos audio mask masks mesh render renders histogram"
)
# These are parts unless another word names a model: model_loss0.3.pt, train_state.pt.
_SIDE_FILES = word_set(
    "loss losses acc accuracy metric metrics history log logs result results stats statistics score scores "
    "eval evaluation evaluations args config hparams report train training test val valid validation data "
    "index image images output outputs confusion trajectories rollouts timing profile figure plot curve study"
)
_EXPORTS = word_set(
    "ema swa avg averaged average adapter adapters merged export exported onnx scripted torchscript traced "
    "jit quantized int8 int4 fp inference deploy pruned converted"
)
# A file in such a directory is not the one to load if the same save has another: model/10.pt, optimizer/10.pt.
_LESSER_FOLDERS = _EXPORTS | word_set(
    "optimizer optimizers optim opt scheduler schedulers sched discriminator disc netd"
)
_STATES = word_set("ck ckpt ckpts checkpoint checkpoints chkpt chkpnt snapshot state states resume")
_MODEL = word_set("model models weight weights params param net network")
_MODELS = _MODEL | word_set(
    "agent policy actor critic generator gen g netg encoder decoder unet vae student teacher backbone booster"
)
_COUNTERS = word_set(
    "epoch epochs ep step steps globalstep global iter iters iteration iterations it update updates round "
    "batch ba timestep timesteps episode episodes"
)
_NEWEST = frozenset({"last", "latest", "final", "best"})
# Words that do not distinguish one file of a save from another.
_GENERIC = _STATES | _COUNTERS | _NEWEST | _MODEL | _SIDE_FILES | {"rank", "rl", "of", "e", "s", "txt"}
_DISCRIMINATOR = re.compile(r"(?<![a-z0-9])(?:net_?)?d(?:_[a-z]{1,2})?(?:_?\d+)?(?![a-z0-9])")
_OPTIMIZER = re.compile(r"(?<![a-z0-9])opt(?:_[dg])?(?:[-_]?\d+)?$")

# Files that make their directory a checkpoint whatever its name: accelerate, orbax, torch.distributed, TensorFlow.
_PARTS_OF_FOLDERS = ("random_states_0.pkl", "_CHECKPOINT_METADATA", ".metadata", "saved_model.pb")
_COUNTED = r"(?:checkpoint|chkpt|ckpt|global[-_]?step|step|iter(?:ation)?|epoch|ep|ba|batch|round|state)[-_=]?\d{1,15}"
# checkpoint-500 (Hugging Face), iter_0000845 (Megatron), global_step100 (DeepSpeed), epoch_2_step_9, last.ckpt,
# name-000003-state, name-checkpoint-20.
_FOLDER = re.compile(
    rf"{_COUNTED}(?:[-_,]{_COUNTED})*|.+[-_.](?:checkpoint|ckpt)[-_=]?\d{{1,15}}|.+\d[-_]state|.+\.(?:ckpt|orbax)",
    re.IGNORECASE,
)
# What save_pretrained writes into a directory such as model_500.
_PRETRAINED_FOLDER = re.compile(
    r"(?:.*[-_])?(?:model|weights?|params?|adapter|lora|saved?)[-_=]?\d{1,15}", re.IGNORECASE
)
_PRETRAINED_FILE = re.compile(r"(?:\w+_)?model(?:-\d+-of-\d+)?\.(?:safetensors|bin)(?:\.index\.json)?")
_UNFINISHED_FOLDER = re.compile(r"tmp-.*|.*\.orbax-checkpoint-tmp.*|.*\.tmp$|.*\.partial$")
_TF_PART = re.compile(r"(.+)\.(?:index|data-\d{5}-of-\d{5})")

_ALWAYS = (".ckpt", ".pth.tar", ".keras", ".weights.h5", ".pdparams", ".ckpt.pt", ".state")
_TORCH = (".pt", ".pth", ".chk", ".t7", ".eqx")  # with any word for a model
_PERHAPS = (
    *(".pkl", ".pickle", ".bin", ".h5", ".hdf5", ".npz", ".msgpack", ".safetensors", ".tar", ".zip", ".joblib"),
    *(".cpkl", ".pdopt", ".gguf", ".ubj", ".cbm", ".model", ".params", ".nemo", ".flax"),
)
_TEXT = (".json", ".txt")  # of a model of XGBoost or LightGBM
_ORDINARY = word_set(
    ".py .pyc .pyi .log .md .rst .html .css .js .yaml .yml .toml .cfg .ini .csv .tsv .jsonl .parquet .arrow "
    ".sh .so .o .c .h .cpp .cu .whl .lock .svg .pdf .ipynb .png .jpg .jpeg .gif .webp .bmp .tif .tiff .mp4 "
    ".avi .mov .webm .wav .mp3 .flac .ogg .npy .gz .bz2 .xz .zst .7z .db .sqlite .sqlite3 .xml .tfrecord "
    ".tfrecords .tmp .part .swp .bak .out .err .pid .proto .pb .onnx .lmdb .mdb .rec .idx .nii .dcm .ply .obj "
    ".stl .glb .prof .trace .wandb"
)
# Directories of data: a file in one is a checkpoint only if its name is certain.
DATA_FOLDERS = word_set(
    "data dataset datasets raw processed tokenized images image samples sample features latents embeddings "
    "predictions figures plots videos media downloads download pretrained cached renders eval"
)

_WORD = re.compile(r"[a-z]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][A-Z]?(?![a-z]))|(?<=[a-z])(?=[A-Z][a-z])")
_STEP = re.compile(
    r"(?:global[-_]?step|(?<![a-z])(?:(?:time)?steps?|iter(?:ation)?s?)|updates?|(?<![a-z\d])ba)[-_=]?(\d{1,15})(?!\d)"
    r"|(?<!\d)(\d{1,15})[-_](?:time)?steps?(?![a-z]|[-_=]?\d)",
    re.IGNORECASE,
)
_HUGGING_FACE = re.compile(r"checkpoint-(\d{1,15})")
_EPOCH = re.compile(r"(?<![a-z])(?:epochs?|ep|e(?=\d+[-_]s\d))[-_=]?(\d{1,15})(?!\d)", re.IGNORECASE)
_DECIMAL = re.compile(r"\d+\.\d+")
_HASH = re.compile(r"(?<![a-z0-9])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}(?![a-z0-9])")  # resnet50-0676ba61
_PLACE = re.compile(r"rank[-_]?\d+|\d+[-_]of[-_]\d+", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![0-9])(?:(?P<word>[a-zA-Z]+)[-_=]?)?(?P<number>\d{1,15})(?![0-9])(?P<tail>[a-zA-Z]*)")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class NamedCheckpoint:
    """What the name of a checkpoint says.

    `step` and `epoch` are set if the name labels a number so; `number` is the number of the save, whatever it counts.
    `kind` are the words that distinguish it from other files of its save: "encoder", "" for the model itself.
    `is_best`: kept for its score, so a newer checkpoint may be the one to resume from.
    `is_certain`: the name alone shows that it is a checkpoint; otherwise content and repetition have to.
    """

    path: str
    step: int | None = None
    epoch: int | None = None
    number: int | None = None
    role: FileRole = FileRole.MODEL
    kind: str = ""
    is_best: bool = False
    is_certain: bool = True


def parse_checkpoint_path(file: str) -> NamedCheckpoint | None:
    """Returns the checkpoint that a file is or belongs to; None if its path does not look like one."""
    candidate = parse_candidate(file)
    return candidate if candidate is not None and candidate.is_certain else None


def parse_candidate(file: str, *, top: str = "") -> NamedCheckpoint | None:
    """As `parse_checkpoint_path`, or the file itself if it may be a checkpoint despite its name.

    The directory `top` and those above it are never checkpoints.
    """
    folder = _folder_around(file, top)
    if folder is not None:
        named = parse_checkpoint_name(folder, is_folder=True)
        return named if named.role is not FileRole.PART else None
    if any(map(_UNFINISHED_FOLDER.fullmatch, dirname(file).split("/")[-MAX_PART_DEPTH:])):
        return None
    name = basename(file)
    tensorflow = _TF_PART.fullmatch(name)
    if tensorflow is not None:
        return parse_checkpoint_name(file[: len(file) - len(name) + len(tensorflow[1])])
    if not may_be_checkpoint(name):
        return None
    named = parse_checkpoint_name(file)
    if named.role is FileRole.PART:
        return None
    is_certain = _is_certain(name, named)
    if not is_certain and DATA_FOLDERS.intersection(dirname(file).lower().split("/")[-3:]):
        return None
    return named if is_certain else replace(named, is_certain=False)


def may_be_checkpoint(name: str) -> bool:
    """Whether a file of this name may be a checkpoint: a known extension, or an unknown one and a number."""
    lowered = name.lower()
    if lowered.endswith((*_ALWAYS, *_TORCH, *_PERHAPS)):
        return True
    has_number = any(map(str.isdigit, lowered))
    if not has_number or lowered.startswith(".") or "tfevents" in lowered:
        return False
    if lowered.endswith(_TEXT):
        return bool((_STATES | _MODELS).intersection(_WORD.findall(splitext(lowered)[0])))
    return splitext(lowered)[1] not in _ORDINARY and not lowered.endswith("~")


def parse_checkpoint_name(path: str, *, is_folder: bool = False) -> NamedCheckpoint:
    """Parses the name of a path that is already known to be a checkpoint."""
    name = basename(path)
    stem = _stem(name)
    words = _words(stem)
    parent = basename(dirname(path))
    step, epoch, number = _numbers(parent if parent.isdecimal() and not any(map(str.isdigit, stem)) else stem)
    hugging_face = _HUGGING_FACE.fullmatch(name)
    if hugging_face is not None:
        step = number = int(hugging_face[1])
    return NamedCheckpoint(
        path=path,
        step=step,
        epoch=epoch,
        number=number,
        role=_role(name, stem, words, parent=parent.lower(), is_folder=is_folder),
        kind="_".join(sorted(set(words) - _GENERIC)),
        is_best="best" in words,
    )


def _folder_around(file: str, top: str) -> str | None:
    """The outermost checkpoint directory: a Hugging Face checkpoint may contain a DeepSpeed one."""
    folder, name = dirname(file), basename(file)
    is_pretrained = _PRETRAINED_FILE.fullmatch(name) and _PRETRAINED_FOLDER.fullmatch(basename(folder))
    outermost = folder if is_pretrained or name in _PARTS_OF_FOLDERS else None
    for _ in range(MAX_PART_DEPTH):
        if top == folder or top.startswith(folder + "/"):
            break
        name = basename(folder)
        if _UNFINISHED_FOLDER.fullmatch(name):
            return None
        if _FOLDER.fullmatch(name):
            outermost = folder
        folder = dirname(folder)
    return outermost


def _is_certain(name: str, named: NamedCheckpoint) -> bool:
    lowered = name.lower()
    if lowered.endswith(_ALWAYS):
        return True
    words = set(_words(_stem(name)))
    says_state = bool(words & (_STATES | _NEWEST))
    if lowered.endswith(_TEXT):
        return named.number is not None and bool(words & _MODELS)
    if not lowered.endswith((*_TORCH, *_PERHAPS)):  # no ending, or an unknown one
        return says_state and named.number is not None
    if says_state or words & _COUNTERS:
        return True
    says_model = bool(words & (_MODELS - {"g"})) or lowered.startswith("model")
    return says_model and (lowered.endswith(_TORCH) or named.number is not None)


def _stem(name: str) -> str:
    for ending in sorted((*_ALWAYS, *_TORCH, *_PERHAPS, *_TEXT), key=len, reverse=True):
        if name.lower().endswith(ending):
            return _HASH.sub("", name[: len(name) - len(ending)])
    stem, ending = splitext(name)
    return _HASH.sub("", stem if ending[1:].isalpha() else name)


def _words(stem: str) -> list[str]:
    return _WORD.findall(_CAMEL.sub("_", stem).lower())


def _role(name: str, stem: str, words: list[str], *, parent: str, is_folder: bool) -> FileRole:
    present = set(words)
    separated = _CAMEL.sub("_", stem).lower()
    is_model = bool(present & (_STATES | _MODELS | _COUNTERS | _NEWEST))
    is_part = present & _PARTS or _DISCRIMINATOR.search(separated) or _OPTIMIZER.search(separated)
    if is_part or name.lower().endswith(".pdopt") or (present & _SIDE_FILES and not is_model):
        return FileRole.PART
    if present & _EXPORTS or parent in _LESSER_FOLDERS or name.lower().endswith(".gguf"):
        return FileRole.EXPORT
    is_state = is_folder or name.lower().endswith((".ckpt", ".pth.tar", ".state"))
    return FileRole.STATE if is_state or present & _STATES else FileRole.MODEL


def _numbers(stem: str) -> tuple[int | None, int | None, int | None]:
    """The step, the epoch, and the number of the save in a name; the last is one of these or a bare number."""
    steps = [int(before or after) for before, after in _STEP.findall(stem)]
    epochs = [int(epoch) for epoch in _EPOCH.findall(stem)]
    step, epoch = steps[-1] if steps else None, epochs[-1] if epochs else None
    if step is not None or epoch is not None:
        return step, epoch, step
    plain = _PLACE.sub("", _DECIMAL.sub("", stem))
    numbers = [
        int(match["number"]) for match in _NUMBER.finditer(plain) if not match["tail"] and _is_counter(plain, match)
    ]
    return None, None, numbers[-1] if numbers else None


def _is_counter(stem: str, match: re.Match[str]) -> bool:
    """Whether a number is separate or follows a word for a checkpoint, unlike that of resnet18."""
    word = match["word"]
    is_attached = word is not None and stem[match.end("word")].isdigit()
    if not is_attached:
        return True
    return bool(set(_words(word)) & (_STATES | _MODELS | _COUNTERS | _EXPORTS | _NEWEST)) or len(word) == 1
