"""The queue only wakes workers: a message says that a queue has work, SQL says which. Losing or doubling one does no
harm."""

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from backend.settings import Settings
from core.blocks import BLOCK
from core.config import LoopConfig

log = logging.getLogger(__name__)

VISIBILITY_TIMEOUT_S = 3600  # a message unacknowledged that long is delivered again
RUN_NEXT, PREPARE = "loopscope.run_next", "loopscope.prepare"
RUN_AUDIT, RUN_DRAW = "loopscope.run_audit", "loopscope.run_draw"
GPU, CPU = "gpu", "cpu"
PREPARED = ("correctors", "evaluator")  # what can be computed ahead, each in a process of its own


@dataclass(frozen=True)
class Message:
    """One part of one stage that can start. Workers hear of its queue only, and take whatever has its turn there."""

    loop_id: str
    generation: int
    stage: str
    part: int
    queue: str


class Queue(Protocol):
    """Sends messages. Never raises: what is not sent is sent again by the reconciler."""

    def send(self, messages: Sequence[Message]) -> None: ...

    def prepare(self, loop_id: str) -> None:
        """Ask for what a loop will need (evaluator, bounds) to be computed ahead."""
        ...

    def audit(self, audit_id: str) -> None:
        """Ask for an audit of a corrector, on the physics queue."""
        ...

    def draw(self, draw_id: str) -> None:
        """Ask for new samples of a generation, on the networks' queue."""
        ...

    def waiting(self, queue: str) -> int | None:
        """Messages that no worker has taken yet; None when the broker does not answer."""
        ...

    def close(self) -> None: ...


def queue_of(config: LoopConfig, stage: str) -> str:
    """Which queue a stage waits in: networks on ``gpu``, physics and blocks of light generations on ``cpu``."""
    corrects_output = config.corrector.kind != "none" and config.correction.where != "loop"
    return CPU if stage in ("correct", "panel", BLOCK) or (stage == "evaluate" and corrects_output) else GPU


def open_queue(settings: Settings) -> Queue:
    return CeleryQueue(settings)


@dataclass(frozen=True)
class CeleryQueue:
    """Sends by name, so that the server needs no worker code."""

    settings: Settings

    @cached_property
    def app(self) -> Any:
        return celery_app(self.settings)

    def send(self, messages: Sequence[Message]) -> None:
        from celery import group

        signatures = [
            self.app.signature(RUN_NEXT, args=(message.queue,), options={"queue": message.queue}, immutable=True)
            for message in messages
        ]
        if signatures:
            self._quietly(lambda: group(signatures, app=self.app).apply_async())

    def prepare(self, loop_id: str) -> None:
        for what in PREPARED:
            self._quietly(lambda what=what: self.app.send_task(PREPARE, args=(loop_id, what), queue=CPU, expires=300))

    def audit(self, audit_id: str) -> None:
        self._quietly(lambda: self.app.send_task(RUN_AUDIT, args=(audit_id,), queue=CPU))

    def draw(self, draw_id: str) -> None:
        self._quietly(lambda: self.app.send_task(RUN_DRAW, args=(draw_id,), queue=GPU))

    def waiting(self, queue: str) -> int | None:
        from kombu.exceptions import ChannelError, OperationalError

        try:
            with self.app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
                channel = connection.default_channel
                return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except ChannelError:
            return 0  # nothing has ever been sent
        except (OperationalError, OSError):
            return None

    def close(self) -> None:
        if "app" in self.__dict__:
            self.app.close()

    def _quietly(self, send: Any) -> None:
        from kombu.exceptions import OperationalError

        try:
            send()
        except (OperationalError, OSError) as error:
            log.warning("The broker does not answer (%s); the reconciler will send again.", error)


@dataclass
class ListQueue:
    """A queue in memory (tests, in-process runs): messages wait in ``messages`` until somebody takes them."""

    messages: list[Message] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    audits: list[str] = field(default_factory=list)
    draws: list[str] = field(default_factory=list)

    def send(self, messages: Sequence[Message]) -> None:
        self.messages.extend(messages)

    def prepare(self, loop_id: str) -> None:
        self.prepared.append(loop_id)

    def audit(self, audit_id: str) -> None:
        self.audits.append(audit_id)

    def draw(self, draw_id: str) -> None:
        self.draws.append(draw_id)

    def waiting(self, queue: str) -> int | None:
        return sum(message.queue == queue for message in self.messages)

    def close(self) -> None:
        self.messages.clear()


def celery_app(settings: Settings) -> Any:
    """A Celery app on the settings' broker. Why it is set as it is:

    - ``visibility_timeout``, in all three places where Celery and kombu look, because the shortest one wins: Redis
      hands a message out again that has not been acknowledged for so long. An hour is longer than almost any stage; a
      message that comes twice finds whatever has its turn, or nothing.
    - ``task_acks_late``: a message taken by a worker that dies is not gone with it. ``acks_on_failure_or_timeout``:
      but a task that fails or whose process is killed is done with, and not ``reject_on_worker_lost``, which could go
      on for ever: the reconciler takes up a killed worker's stage, and SQL counts how often.
    - ``worker_prefetch_multiplier`` 1: nobody hoards messages behind a long stage.
    - Results are ignored, progress is in SQL. JSON only: whoever reaches the broker must not be able to run code.
    - No connection is given up (``max_retries`` None) while a worker waits for its broker, but sending gives up after a
      try or two, because whoever sends is a person's click or a stage; the reconciler sends again.
    - Stages that run while the connection is lost go on. TCP keep-alive notices a broker that vanished without a word.
    - Gossip, mingle, events and heartbeats between workers are off: nobody reads them (``worker.celery_app``).
    """
    from celery import Celery

    app = Celery("loopscope", broker=settings.broker_url, set_as_current=False)
    transport = {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "socket_keepalive_options": _keep_alive(),
        "max_retries": 1,
        "interval_start": 0,
    }
    app.conf.update(
        broker_transport_options=transport,
        result_backend_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT_S},
        visibility_timeout=VISIBILITY_TIMEOUT_S,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_publish_retry=True,
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.2},
        task_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_reject_on_worker_lost=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        task_default_queue=CPU,
        enable_utc=True,
        timezone="UTC",
    )
    return app


def _keep_alive() -> dict[int, int]:
    """Socket options by which a vanished broker is noticed within half a minute, where the system has them."""
    wanted = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
