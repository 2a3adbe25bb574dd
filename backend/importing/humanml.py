"""HumanML3D (Guo et al. 2022) and KIT-ML in its layout: ``new_joint_vecs/*.npy`` of 263 features at 20 fps or 251 at
12.5 fps (see :mod:`backend.importing.features`), captions in ``texts/``, and lists of names for train, val and test.

KIT-ML is in no metres. Its bones are millimetres of the Motor Map's reference body, 1 m tall, and its axes were
changed by swapping two of them, which mirrors; both are seen in the data and taken back. The root's way is that of the
subject in millimetres, as far as the published conversions tell: whether bones and way fit together is measured by
the feet that stand, over the whole source.
"""

import re
from typing import NamedTuple

import numpy as np

from backend.importing import mmm
from backend.importing.features import FORMS, Form, are_raw, decode, speeds_agree, stepped
from backend.importing.labels import ONE
from backend.importing.source import Source
from backend.importing.take import SPLITS, Reading, Take, check_finite
from core.errors import InvalidMotion
from core.motion import Motion
from core.npyheader import UNREADABLE, Pickled, claimed
from core.rotations import Array

VECTORS = "new_joint_vecs/"
AGREE_RAD = 0.1  # mean angle between bones by position and by rotation
LONGEST_TEXT = 2000
MOST_TEXTS = 64
BROKEN = frozenset({"007975", "M007975"})
"""Recordings of which HumanML3D's own recipe makes NaN; others leave them out, too."""
WAY_FILES = 64  # by which the root's way is compared with the feet's
LEAST_STEPS = 40  # frames of walking that such a comparison needs
SLIDES = (0.45, 0.78)  # about 1 / mmm.HEIGHT_M: a person's way, beside bones of 1 m; feet that stand give 1
NOTES = {
    "twist": "Features say nothing of twist: joints turn no further than their bones point.",
    "contradiction": "Positions and rotations contradict each other in some files; positions were taken.",
    "mirrored": "Left was on the right of where toes point: x was turned round.",
    "scaled": f"Features do not tell lengths in metres: bodies were made {mmm.HEIGHT_M:g} m tall, by their legs.",
    "way": "Feet that stand slid: the root's way was taken as millimetres of the subject's, not with the bones' scale, "
    "and every take was put on the floor again.",
    "silent": "There is no caption in texts/.",
    "lost": "Some captions speak of a part that is not in the recording; they were left out.",
}


class Caption(NamedTuple):
    """A line of a text file: what is said of seconds ``start`` to ``stop``, or of all where both are 0."""

    text: str
    start: float
    stop: float


def recognize(source: Source) -> bool:
    return any(f"/{VECTORS}" in f"/{file}" for file in source.of(".npy")) or any(
        _shape(source, file)[1:] in {(width,) for width in FORMS} for file in source.of(".npy")[:8]
    )


def files(source: Source) -> list[str]:
    """Recordings; Mean.npy, Std.npy and plain positions (new_joints) are none."""
    found = [file for file in source.of(".npy") if f"/{VECTORS}" in f"/{file}"]
    return found or [file for file in source.of(".npy") if file.rsplit("/", 1)[-1] not in ("Mean.npy", "Std.npy")]


def read(source: Source, file: str, reading: Reading) -> list[Take]:
    """A recording with its captions; a caption of a part of it is a take of its own.

    Raises:
        InvalidMotion: naming file and frame, or line.
    """
    name = file.rsplit("/", 1)[-1].removesuffix(".npy")
    features, form = _loaded(source, file)
    if name in BROKEN and not np.isfinite(features).all():
        reading.left_out.append(f"{file} holds NaN, as HumanML3D's own recipe makes it.")
        return []
    features = _plain(source, file, features, form)
    way = _way(source, form, reading)
    found = decode(features, form, name, way)
    captions = _captions(source, file, name)
    parts, lost = _parts(captions, len(features), form.fps)
    told = {
        "twist": True, "contradiction": found.off_rad > AGREE_RAD, "mirrored": found.mirrored, "scaled": found.scaled,
        "way": way != 1.0, "silent": not captions, "lost": lost,
    }  # fmt: skip
    notes = tuple(NOTES[note] for note, holds in told.items() if holds)
    body, root, local = found.motion.skeleton, found.motion.root_position_m, found.motion.local_rotations_wxyz
    root, local = root.astype(np.float32), local.astype(np.float32)  # as the files are: so many fill the memory
    split, recording = _split_of(source, file, name, reading), re.sub(r"^M(?=\d)", "", name)
    takes = []
    for mark, (start, stop, texts) in parts.items():
        motion = Motion(body, root[start:stop], local[start:stop], form.fps)
        takes.append(Take(name + mark, motion, ONE, "", split, tuple(texts), notes, recording))
    return takes


def _parts(captions: list[Caption], frames: int, fps: float) -> tuple[dict[str, tuple[int, int, list[str]]], bool]:
    """Parts of a recording by what marks their names ("" for all of it): first frame, end and captions; and whether
    any caption speaks of none. All of it where nothing is said."""
    found: dict[str, tuple[int, int, list[str]]] = {}
    lost = False
    for text, start, stop in captions:
        whole = start == stop == 0
        first, end = (0, frames) if whole else (round(start * fps), min(round(stop * fps), frames))
        if not whole and (first < 0 or end - first < 2):
            lost = True
            continue
        mark = "" if whole else f"@{start:g}-{stop:g}"
        found.setdefault(mark, (first, end, []))[2].append(text)
    return found or {"": (0, frames, [])}, lost


def _way(source: Source, form: Form, reading: Reading) -> float:
    """By how much the root's way is longer than the bones' scale makes it, where a form has a scale of its own."""
    if not form.height_m:
        return 1.0
    if form.width not in reading.ways:
        every = files(source)
        steps: list[Array] = [np.zeros(0)]
        for file in every[:: -(-len(every) // WAY_FILES)]:
            try:
                features, its = _loaded(source, file)
                if its is form:
                    steps.append(stepped(_plain(source, file, features, form), form))
            except InvalidMotion:  # told when it is its turn
                continue
        seen = np.concatenate(steps)
        slides = len(seen) >= LEAST_STEPS and SLIDES[0] < float(np.median(seen)) < SLIDES[1]
        reading.ways[form.width] = 1.0 / form.height_m if slides else 1.0
    return reading.ways[form.width]


def _shape(source: Source, file: str) -> tuple[int, ...]:
    try:
        with source.path(file).open("rb") as stream:
            return claimed(stream, source.path(file).stat().st_size)[0]
    except (OSError, ValueError):
        return ()


def _array(source: Source, file: str) -> Array:
    path = source.path(file)
    try:
        with path.open("rb") as stream:
            _, dtype = claimed(stream, path.stat().st_size)
        if dtype.kind not in "fiu":
            raise InvalidMotion(f"{file} holds no numbers ({dtype}).")
        values: Array = np.load(path, allow_pickle=False).astype(np.float64)
        return values
    except Pickled:
        raise InvalidMotion(
            f"{file} holds pickled objects, which are never loaded.", "Save plain arrays of numbers."
        ) from None
    except (OSError, *UNREADABLE) as error:
        raise InvalidMotion(f"{file} cannot be read as an npy array: {error}.", "It may be cut short.") from None


def _loaded(source: Source, file: str) -> tuple[Array, Form]:
    """Features as they are in the file, and what body they are of."""
    features = _array(source, file)
    if features.ndim != 2 or features.shape[1] not in FORMS or len(features) < 2:
        known = " or ".join(f"{width} (12 x {len(form.joints)} - 1)" for width, form in FORMS.items())
        raise InvalidMotion(
            f"{file}: features must be (T, {known}); got {features.shape}.", "Those of new_joint_vecs are read."
        )
    return features, FORMS[features.shape[1]]


def _plain(source: Source, file: str, features: Array, form: Form) -> Array:
    """Features as they were before a normalisation, by Mean.npy and Std.npy."""
    check_finite(features, file, "a feature")
    if are_raw(features, form):
        return features
    names = [f"{_base(file)}{name}" for name in ("Mean.npy", "Std.npy")]
    if source.names.issuperset(names):
        mean, std = (_array(source, name) for name in names)
        if mean.shape == std.shape == (form.width,):
            features = features * std + mean
    if not are_raw(features, form):
        raise InvalidMotion(
            f"{file}, frame 0: its 6-D rotations are none; the features may be normalised.",
            "Put their Mean.npy and Std.npy beside the folder, or give those of new_joint_vecs.",
        )
    if not speeds_agree(features, form):
        raise InvalidMotion(
            f"{file}: with {names[0]} and {names[1]}, the root has another speed than the same joint.",
            "The features were normalised by others, such as a model's own: put those there.",
        )
    return features


def _base(file: str) -> str:
    """The folder in which texts, lists, mean and deviation lie, with ``/``, or ""."""
    folder = file[: file.rfind("/") + 1]
    return folder.removesuffix(VECTORS) if f"/{folder}".endswith(f"/{VECTORS}") else folder


def _split_of(source: Source, file: str, name: str, reading: Reading) -> str:
    """The split whose list (train.txt, val.txt, test.txt) names the recording."""
    for split in SPLITS:
        for listed in (f"{_base(file)}{split}.txt", f"{_base(file)}splits/{split}.txt"):
            if listed in source.names:
                if listed not in reading.lists:
                    reading.lists[listed] = frozenset(source.text(listed).split())
                if name in reading.lists[listed]:
                    return split
    return ""


def _captions(source: Source, file: str, name: str) -> list[Caption]:
    """What is said of a recording, and of which part: ``caption#tokens#start#end`` in seconds.

    Raises:
        InvalidMotion: naming file and line.
    """
    said = f"{_base(file)}texts/{name}.txt"
    found: list[Caption] = []
    if said not in source.names:
        return found
    for k, line in enumerate(source.text(said).splitlines(), 1):
        caption, *rest = line.split("#")
        text = re.sub(r"\s+", " ", caption).strip()
        if not text:
            continue
        if len(text) > LONGEST_TEXT or k > MOST_TEXTS:
            raise InvalidMotion(f"{said}, line {k}: more than {MOST_TEXTS} captions of {LONGEST_TEXT} characters.")
        start, stop = 0.0, 0.0
        if len(rest) >= 3:
            try:
                start, stop = (float(word) for word in rest[-2:])
            except ValueError:
                raise InvalidMotion(f"{said}, line {k}: start and end are no numbers: {line[-40:]!r}.") from None
        start, stop = (0.0 if np.isnan(second) else float(np.clip(second, -1, 1e6)) for second in (start, stop))
        found.append(Caption(text, start, stop))
    return found
