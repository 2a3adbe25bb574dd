"""Processes tell SQL that they are there, what they are, and what they do."""

from backend.context import Backend


class Presence:
    """Keeps a row of :class:`backend.tables.WorkerProcess` fresh, from a thread of its own."""

    def __init__(self, backend: Backend, name: str, queues: str, device: str) -> None:
        self.backend, self.name, self.queues, self.device = backend, name, queues, device

    def start(self) -> None:
        """Begin; never raises when SQL is away."""

    def stop(self) -> None:
        """Say goodbye."""
