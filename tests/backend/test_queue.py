import secrets
from collections.abc import Callable

from backend.queue import VISIBILITY_TIMEOUT_S, CeleryQueue, ListQueue, Message, celery_app, open_queue, queue_of
from backend.settings import Settings
from core.config import CorrectionConfig
from tests.backend.toys import toy_config

MESSAGES = [Message("loop", 1, "correct", part, "cpu") for part in range(3)]


def test_networks_wait_for_gpu_physics_for_cpu() -> None:
    config = toy_config(corrector="clip")
    stages = ("synthesize", "correct", "learn", "panel", "evaluate")
    assert [queue_of(config, stage) for stage in stages] == ["gpu", "cpu", "gpu", "cpu", "gpu"]
    output = config.model_copy(update={"correction": CorrectionConfig(where="output")})
    assert queue_of(output, "evaluate") == "cpu"
    raw = toy_config().model_copy(update={"correction": CorrectionConfig(where="output")})
    assert queue_of(raw, "evaluate") == "gpu"


def test_messages_arrive_and_are_counted(redis_url: str, make_settings: Callable[..., Settings]) -> None:
    queue = open_queue(make_settings(redis_url=redis_url))
    assert queue.waiting("cpu") == 0
    queue.send(MESSAGES)
    queue.send([])
    assert (queue.waiting("cpu"), queue.waiting("gpu")) == (3, 0)
    queue.prepare("loop")
    assert queue.waiting("cpu") == 5
    queue.audit("audit")
    assert (queue.waiting("cpu"), queue.waiting("gpu")) == (6, 0)
    queue.draw("draw")
    assert (queue.waiting("cpu"), queue.waiting("gpu")) == (6, 1)
    queue.close()


def test_a_broker_that_is_down_is_no_error(make_settings: Callable[..., Settings]) -> None:
    queue = CeleryQueue(make_settings(home="/tmp/" + secrets.token_hex(4)))
    queue.send(MESSAGES)
    queue.prepare("loop")
    queue.audit("audit")
    queue.draw("draw")
    assert queue.waiting("cpu") is None
    queue.close()


def test_the_visibility_timeout_is_set_wherever_celery_looks(make_settings: Callable[..., Settings]) -> None:
    conf = celery_app(make_settings()).conf
    assert conf.broker_transport_options["visibility_timeout"] == VISIBILITY_TIMEOUT_S
    assert conf.result_backend_transport_options["visibility_timeout"] == VISIBILITY_TIMEOUT_S
    assert conf.visibility_timeout == VISIBILITY_TIMEOUT_S
    assert conf.accept_content == ["json"]
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier, conf.task_ignore_result) == (True, 1, True)


def test_a_list_keeps_messages_until_they_are_taken() -> None:
    queue = ListQueue()
    queue.send(MESSAGES)
    assert (queue.waiting("cpu"), queue.waiting("gpu")) == (3, 0)
