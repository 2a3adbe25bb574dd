"""Which data sets there are."""

from core.protocols import Part
from model.datasets import deepmimic, npz, stored

DATASETS: dict[str, Part] = {
    "deepmimic": Part(
        "DeepMimic clips",
        "15 humanoid motions that come with PyBullet: walk, run, jump, roll, flips, kicks, dances. No download.",
        deepmimic.DeepMimicOptions,
        deepmimic.build,
    ),
    "npz": Part(
        "Motion capture file",
        "Clips of any skeleton from clips.npz and index.csv, split by subject as the index says.",
        npz.NpzOptions,
        npz.build,
    ),
    "stored": Part(
        "Imported data set",
        "Motion that was imported from BVH, AMASS, HumanML3D, KIT-ML, DeepMimic or npz files; named by id.",
        stored.StoredOptions,
        stored.build,
    ),
}
