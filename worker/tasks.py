"""Celery's tasks: messages in, stages done. All that matters is in SQL, so a task returns nothing and never retries."""

from typing import TYPE_CHECKING, Any

from backend.queue import PREPARE, RUN_AUDIT, RUN_STAGE

if TYPE_CHECKING:
    from worker.celery_app import Process


def register(app: Any, process: "Process") -> None:
    """Give the app its tasks; they work with what ``process`` holds."""

    @app.task(name=RUN_STAGE)
    def run_stage(loop_id: str, generation: int, stage: str, part: int) -> None:
        from worker.stage import run_stage

        run_stage(
            process.backend, loop_id, generation, stage, part,
            worker=process.name, device=process.device, leaving=process.leaving,
        )  # fmt: skip

    @app.task(name=PREPARE)
    def prepare(loop_id: str, what: str) -> None:
        from worker.stage import prepare

        prepare(process.backend, loop_id, what, device=process.device, leaving=process.leaving)

    @app.task(name=RUN_AUDIT)
    def run_audit(audit_id: str) -> None:
        from backend.auditwork import work

        work(process.backend, audit_id, worker=process.name, device=process.device, leaving=process.leaving)
