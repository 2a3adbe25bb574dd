"""Celery's tasks: messages in, stages done. All that matters is in SQL, so a task returns nothing and never retries."""

from typing import TYPE_CHECKING, Any

from backend.queue import PREPARE, RUN_AUDIT, RUN_DRAW, RUN_NEXT

if TYPE_CHECKING:
    from worker.celery_app import Process


def register(app: Any, process: "Process") -> None:
    """Give the app its tasks; they work with what ``process`` holds."""

    @app.task(name=RUN_NEXT)
    def run_next(queue: str) -> None:
        from worker.stage import run_next

        run_next(process.backend, queue, worker=process.name, device=process.device, leaving=process.leaving)

    @app.task(name=PREPARE)
    def prepare(loop_id: str, what: str) -> None:
        from worker.stage import prepare

        prepare(process.backend, loop_id, what, device=process.device, leaving=process.leaving)

    @app.task(name=RUN_AUDIT)
    def run_audit(audit_id: str) -> None:
        from backend.auditwork import work

        work(process.backend, audit_id, worker=process.name, device=process.device, leaving=process.leaving)

    @app.task(name=RUN_DRAW)
    def run_draw(draw_id: str) -> None:
        from backend.drawwork import work

        work(process.backend, draw_id, worker=process.name, device=process.device, leaving=process.leaving)
