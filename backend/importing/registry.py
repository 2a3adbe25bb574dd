"""Which formats are read. A new one is a file and a line; ``auto`` takes the first that recognizes a source."""

from backend.importing import amass, bvh, deepmimic, humanml, layout
from backend.importing.source import Source
from backend.importing.take import Importer
from core.errors import DataMissing, UnknownPart

AUTO = "auto"
IMPORTERS: dict[str, Importer] = {
    "npz": Importer(
        "Loopscope's layout", "clips.npz with index.csv: any skeleton, with split, action and text per clip.",
        layout.recognize, layout.files, layout.read, grounded=True,
    ),
    "humanml3d": Importer(
        "HumanML3D or KIT-ML",
        "new_joint_vecs/*.npy of 263 features at 20 fps or 251 at 12.5, texts/*.txt, train.txt, val.txt, test.txt.",
        humanml.recognize, humanml.files, humanml.read, grounded=True,
    ),
    "amass": Importer(
        "AMASS", "npz of SMPL+H or SMPL-X poses, z up; joint offsets from skeleton.json or of a mean body.",
        amass.recognize, amass.files, amass.read,
    ),
    "bvh": Importer(
        "BVH", "Text files of any exporter; the unit is found by the body's height.",
        bvh.recognize, bvh.files, bvh.read,
    ),
    "motion": Importer(
        "Loopscope's motions", "npz of one motion each, as Inspect and loopscope correct write them.",
        bvh.recognize_own, bvh.own_files, bvh.read,
    ),
    "deepmimic": Importer(
        "DeepMimic", "JSON of Loop and Frames of 44 numbers.",
        deepmimic.recognize, deepmimic.files, deepmimic.read, grounded=True,
    ),
}  # fmt: skip
ADVICE = {
    ".fbx": "Export it as BVH (Blender: File > Export > Motion Capture).",
    ".glb": "Export it as BVH (Blender: File > Export > Motion Capture).",
    ".pkl": "Pickled files can run code and are not opened; save plain npz arrays.",
    ".c3d": "Markers are no skeleton: solve them to BVH first.",
    ".bz2": "Unpack it first.", ".gz": "Unpack it first.", ".tar": "Unpack it first.", ".7z": "Unpack it first.",
}  # fmt: skip


def importer_of(kind: str, source: Source) -> tuple[str, Importer]:
    """The named importer, or for ``auto`` the first that recognizes the source.

    Raises:
        UnknownPart: for a kind that there is not.
        DataMissing: when nothing recognizes the source.
    """
    if kind != AUTO:
        if kind not in IMPORTERS:
            raise UnknownPart("format", kind, (AUTO, *IMPORTERS), "kind")
        return kind, IMPORTERS[kind]
    for name, importer in IMPORTERS.items():
        if importer.recognize(source):
            return name, importer
    found = sorted({f".{file.rsplit('.', 1)[-1].lower()}" for file in source.files if "." in file})
    hint = next((ADVICE[suffix] for suffix in found if suffix in ADVICE), "")
    formats = ", ".join(importer.title for importer in IMPORTERS.values())
    raise DataMissing(
        f"{source.name} holds no motions in a form that is known ({len(source.files)} files"
        f"{': ' + ', '.join(found) if found else ''}).",
        hint or f"These are read: {formats}.",
    )
