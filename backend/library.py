"""Where loops find imported data sets: a row in SQL, an artifact, and a copy of its files on this machine."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import select

from backend.blobs import write_atomically
from backend.database import Database
from backend.store import ArtifactStore
from backend.tables import ImportedData
from core.errors import DataMissing
from core.records import Item
from model.datasets import stored

FILES = ("clips.npz", "index.csv", "card.json")


@dataclass(frozen=True, eq=False)
class ImportedLibrary:
    """Implements :data:`model.datasets.stored.Library`.

    Attributes:
        folder: of the copies, one folder per data set; losing them costs a look into the store.
    """

    folder: Path
    database: Database
    store: ArtifactStore

    def __call__(self, wanted: str) -> tuple[str, Path] | None:
        """By id, deleted ones too, because loops go on with them; or by the name of one that is not deleted."""
        with self.database.read() as session:
            row = session.get(ImportedData, wanted)
            if row is None:
                named = (ImportedData.name == wanted, ImportedData.deleted_at.is_(None))
                row = session.scalar(select(ImportedData).where(*named).order_by(ImportedData.created_at.desc()))
            if row is None:
                return None
            dataset_id, digest = row.id, row.digest
        return dataset_id, self.files(dataset_id, digest)

    def files(self, dataset_id: str, digest: str) -> Path:
        """The folder with a data set's files, fetched where they are not here.

        Raises:
            DataMissing: when its artifact is lost or damaged.
        """
        folder = self.folder / dataset_id
        try:
            for name in FILES:
                os.utime(folder / name)  # counts as used now
        except OSError:
            item = self.store.get(digest)
            if set(item.arrays) != set(FILES):
                raise DataMissing(f"The artifact of the data set {dataset_id} is none.", "Import it again.") from None
            for name in FILES:
                write_atomically(folder / name, item.arrays[name].tobytes())
        return folder

    def lend(self) -> None:
        stored.lend(self)

    def take_back(self) -> None:
        stored.take_back(self)


def packed(files: dict[str, bytes]) -> Item:
    """A data set's files as an artifact."""
    return Item({name: np.frombuffer(data, np.uint8) for name, data in files.items()}, {"holds": "data set"})
