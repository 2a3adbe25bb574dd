"""Looks for damage and names it: what is wrong, where, and what to do about it."""

from backend.context import Backend
from backend.keeping.backup import Progress, quiet
from backend.keeping.filechecks import file_findings
from backend.keeping.finding import Finding
from backend.keeping.rowchecks import row_findings


def integrity(backend: Backend, *, deep: bool = False, progress: Progress = quiet) -> list[Finding]:
    """Everything that is wrong with what an installation keeps; reads only, and may be asked while loops run.

    Args:
        deep: read every byte of every artifact, and every page of SQLite's file.
    """
    progress("Looking at the database", 0, 1)
    found = row_findings(backend, deep)
    if not any(finding.kind == "database_damaged" for finding in found):
        found += file_findings(backend, deep, progress)
    return found
