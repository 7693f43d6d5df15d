"""What is found after a second freeze: visitors may have changed what was restored."""

from __future__ import annotations

import pytest

from adapters.reader_answers.reading import read_loss
from bot.model.message import Tone
from bot.service.operations.verify import data_reasons, good_words
from tests.unit.service.told_host import loss_answer


@pytest.mark.parametrize(("opened", "reasons"), [(False, 1), (True, 0)])
def test_what_visitors_may_have_done_does_not_keep_the_site_closed(opened: bool, reasons: int) -> None:
    """What is gone since the cut-over stands against the data only while nobody else could have taken it away."""
    assert len(data_reasons(read_loss(loss_answer()), {}, {}, (), opened=opened)) == reasons
    assert len(data_reasons(read_loss(loss_answer()), {"a(b) -> c": 2}, {}, (), opened=opened)) == reasons + 1


@pytest.mark.parametrize(
    ("opened", "gone", "tone", "said"),
    [
        (False, [], Tone.GOOD, "nothing of the restored state is missing"),
        (True, [], Tone.GOOD, "nothing of the restored state is missing"),
        (
            True,
            ["3 rows of orders are gone since the cut-over"],
            Tone.WARNING,
            "But 3 rows of orders are gone",
        ),
    ],
)
def test_what_is_gone_is_told_where_it_is_not_held_against_the_data(
    opened: bool, gone: list[str], tone: Tone, said: str
) -> None:
    """What may be by the visitors' wish is named, with a warning; a person looks."""
    text, found = good_words(gone, {}, opened=opened)
    assert found is tone
    assert said in text
