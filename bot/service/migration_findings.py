"""The review of one migration on one site: what is known of the live database decides what a statement does there."""

from __future__ import annotations

from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.review import review_migration
from bot.model.database import DatabaseFacts


def findings_of(source: str, file: str, facts: AppFacts, live: DatabaseFacts) -> list[dict[str, Any]]:
    """Return the findings on a migration's source as they are kept and shown; `file` is named in each."""
    found = review_migration(
        source,
        driver=facts.database.driver,
        version=facts.laravel,
        engine=live.engine,
        engine_version=live.version,
        rows=live.rows,
        cascading_children={parent: list(names) for parent, names in live.cascading_children.items()},
    )
    return [
        {"file": file, "code": f.code, "severity": f.severity.value, "line": f.line, "message": f.message}
        for f in found
    ]
