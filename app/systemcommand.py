"""``loopscope system``: what the System page shows, as text or JSON."""

from app.markup import size
from backend.observe.views import SystemView


def lines(system: SystemView) -> list[str]:
    """One look at the installation, to read in a terminal."""
    words = [f"database  {system.database.kind} {system.database.sentence}, {size(system.database.size_bytes)}"]
    words.append(f"broker    {system.broker.kind}: {system.broker.sentence}")
    words.append(f"disk      {size(system.disk.free)} of {size(system.disk.total)} free in {system.disk.folder}")
    words.append(
        f"loops     {', '.join(f'{count} {state}' for state, count in system.loops.items() if count) or 'none'}"
    )
    for queue in system.queues:
        oldest = f", the oldest for {queue.oldest_s:.0f} s" if queue.oldest_s is not None else ""
        words.append(f"queue     {queue.name}: {queue.at_work} at work, {queue.waiting} waiting{oldest}")
    for process in system.processes:
        if process.state != "ended":
            doing = "; ".join(f"{task.sentence} {task.loop_name}".strip() for task in process.tasks)
            takes = ", ".join(process.queues) or "pages and API"
            words.append(f"process   {process.name} ({takes}): {process.sentence}{f', {doing}' if doing else ''}")
    words += [f"error     {one.at:%Y-%m-%d %H:%M} {one.loop_name}: {one.sentence}" for one in system.incidents]
    return words
