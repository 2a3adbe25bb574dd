"""Data sets that are files are named by path. Over the network only paths in the data folder's ``data`` may be named:
nobody shall make the server open, and tell about, any file that it can read."""

import ipaddress
from pathlib import Path

from backend.context import Backend
from core.config import LoopConfig
from core.errors import InvalidConfig

FIELD = "data.options.path"


def confined(backend: Backend, config: LoopConfig) -> LoopConfig:
    """The config, if this server may open the path that its data set names.

    Raises:
        InvalidConfig: when the server is open to the network and the path leads out of its data folder.
    """
    path = config.data.options.get("path")
    if not isinstance(path, str) or not path.strip() or _is_local(backend.settings.host):
        return config
    folder = (backend.settings.home / "data").resolve()
    if not Path(path).expanduser().resolve().is_relative_to(folder):
        raise InvalidConfig(
            f"This server opens data sets in {folder} only; got {path!r}.", "Copy it there first.", FIELD
        )
    return config


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
