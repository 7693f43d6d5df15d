"""Every verb that the row reader knows has its function."""

from __future__ import annotations

import pytest

from adapters.host_reader.__main__ import VERBS, verb_function


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_each_verb_has_its_function(verb: str) -> None:
    """A name in the list of verbs leads to a function that is there."""
    assert callable(verb_function(verb))
