"""What is found after a second freeze: visitors may have changed what was restored."""

from __future__ import annotations

import pytest

from adapters.reader_answers.reading import read_loss
from bot.model.database import Loss
from bot.model.message import Tone
from bot.service.operations.verify import data_reasons, good_words
from tests.unit.service.told_host import loss_answer


def gone(status: str) -> Loss:
    """Return a loss of rows and of one column's values; the column is there yet, or is dropped."""
    answer = loss_answer()
    answer["tables"]["things"]["missing"] = 2
    answer["tables"]["things"]["columns"]["text"]["status"] = status
    return read_loss(answer)


@pytest.mark.parametrize(
    ("opened", "status", "reasons"),
    [(False, "both", 2), (True, "both", 0), (False, "dropped", 2), (True, "dropped", 1)],
)
def test_what_visitors_may_have_done_does_not_keep_the_site_closed(
    opened: bool, status: str, reasons: int
) -> None:
    """Rows and values that are gone stand against the data only while nobody else could have taken them away.

    No visitor drops a column: that stands against them all the same.
    """
    found = data_reasons(gone(status), {}, {}, (), opened=opened)
    assert len(found) == reasons
    assert ("the column things.text is gone since the cut-over, with 7 values" in found) == (reasons == 1)
    assert len(data_reasons(gone(status), {"a(b) -> c": 2}, {}, (), opened=opened)) == reasons + 1


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
