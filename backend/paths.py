"""Data sets and models that are files are named by path. Whoever is not known to sit at this machine may name paths in
the data folder's ``data`` only: nobody shall make the server open, and tell about, any file that it can read."""

import ipaddress

from backend.context import Backend
from core.config import LoopConfig, PartConfig
from core.errors import InvalidConfig
from core.typedpaths import spelled_path, typed_path


def confined(backend: Backend, config: LoopConfig) -> LoopConfig:
    """The config, if the one who asks may have the paths opened that its data set and model name.

    Raises:
        InvalidConfig: when the server is open to the network, or has a log-in, and a path leads out of its data folder.
        DataMissing: when it can be no path.
    """
    for name, part in (("data", config.data), ("model", config.model)):
        _confine(backend, part, f"{name}.options.path")
    return config


def _confine(backend: Backend, part: PartConfig, field: str) -> None:
    path = part.options.get("path")
    if not isinstance(path, str) or not path.strip():
        return
    anywhere = _is_local(backend.settings.host) and not backend.gate.require("viewer").name
    folder = (backend.settings.home / "data").resolve()
    if not anywhere and not spelled_path(path).resolve().is_relative_to(folder):
        raise InvalidConfig(
            f"This server opens data sets and models in {folder} only; got {path!r}.", "Copy it there first.", field
        )
    typed_path(path)  # looked at only now: what is outside, or may not be read there, is not told


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
