"""Fixtures of the hazards: a production of the test's own, and one whole incident that was played and watched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hazards.watched import watched
from tests.site.clone import clone_production
from tests.site.fixtures import production, production_template
from tests.site.production import Production

__all__ = ["production", "production_template", "watched"]


@pytest.fixture
def stopped(production_template: Production, tmp_path: Path) -> Production:
    """Return a production of the test's own whose two programs do not run: enough for commands typed on the host."""
    return clone_production(production_template.folder, tmp_path / "stopped", run=False)
