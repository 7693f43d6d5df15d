"""What a call says, and whose turn it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.model.event import Kind
from bot.model.incident import Incident
from bot.model.person import Contact
from bot.model.step import Step
from bot.runbook.page import (
    LINE_LETTERS,
    SUBJECT_LETTERS,
    alert_key,
    called_after_s,
    chain_words,
    page_lines,
    page_subject,
    whose_turn,
)
from tests.playbooks.story import (
    BEGAN,
    FREEZE_BROKEN,
    FROZEN_STORY,
    INTENT_STORY,
    JUST_OPENED,
    PLANNED_STORY,
    RESTORED_STORY,
    SAFETY,
    WHOLE_RECOVERY,
    Story,
    moment,
    step_done,
)

NOW = BEGAN + timedelta(hours=1)
DORA = Contact(name="Dora", role="DBA", calls=1)
EGON = Contact(name="Egon", role="DBA", calls=3, page_again=60)
FRIDA = Contact(name="Frida", role="CTO")


def lines(state: Incident, reason: str = "keys are in the way", now: datetime = NOW) -> list[str]:
    return page_lines(
        state, url="https://shop.example", reason=reason, where=["Slack #inc-shop-1", "the console"], now=now
    )


@pytest.mark.parametrize("story", WHOLE_RECOVERY.values(), ids=WHOLE_RECOVERY)
def test_every_moment_is_told_in_five_lines(story: Story) -> None:
    """At each point of a recovery there are five lines, none empty, none too long, and the last one says what to do."""
    told = lines(story.state())
    assert len(told) == 5
    assert all(8 < len(line) <= LINE_LETTERS for line in told)
    assert told[0].startswith(f"{story.state().site} (https://shop.example): ")
    assert "/incident ack in Slack #inc-shop-1 or the console" in told[4]


@pytest.mark.parametrize(
    ("story", "number", "words"),
    [
        (JUST_OPENED, 1, "The site is open to visitors."),
        (FROZEN_STORY, 1, "nothing writes, proven."),
        (FROZEN_STORY.and_then(FREEZE_BROKEN), 1, "not proven that nothing writes."),
        (JUST_OPENED, 2, "Loss: not known yet."),
        (JUST_OPENED.and_then(moment(Kind.ASSESSED, bad_migration="m")), 2, "it cannot be counted"),
        (
            FROZEN_STORY.and_then(step_done(Step.ASSESS, "7 values of texts are lost")),
            2,
            "Loss: 7 values of texts are lost",
        ),
        (JUST_OPENED, 3, "No safety backup yet. Backups not looked at yet. No plan yet."),
        (JUST_OPENED.and_then(moment(Kind.BACKUPS_LISTED, backups=[])), 3, "No verified backup."),
        (FROZEN_STORY.and_then(SAFETY), 3, "Verified backup: good.sql."),
        (PLANNED_STORY, 3, "A plan is rehearsed and proven."),
        (
            PLANNED_STORY.and_then(moment(Kind.PLAN_VOID, "somebody wrote.")),
            3,
            "does not hold: somebody wrote.",
        ),
        (INTENT_STORY, 3, "what became of it is not known yet."),
        (RESTORED_STORY, 3, "The data are restored."),
    ],
)
def test_what_is_so_is_what_is_told(story: Story, number: int, words: str) -> None:
    """Down or not, the loss, what stands: each from the timeline as it is."""
    assert words in lines(story.state())[number]


def test_nothing_in_a_reason_makes_a_line_of_its_own() -> None:
    """A reason with line breaks, marks that turn text round, or a thousand letters stays one line."""
    told = lines(JUST_OPENED.state(), reason="a\r\nBcc: eve@example.org\u202e" + "x" * 1000)
    assert len(told) == 5
    assert all("\n" not in line and "\r" not in line and "\u202e" not in line for line in told)
    subject = page_subject("shop", "a\r\nBcc: x" + "y" * 1000, 3)
    assert "\n" not in subject
    assert len(subject) == SUBJECT_LETTERS


def test_each_contact_has_a_turn() -> None:
    """Dora once, Egon three times, then Frida for ever."""
    turns = [whose_turn([DORA, EGON, FRIDA], attempt).name for attempt in range(8)]
    assert turns == ["Dora", "Egon", "Egon", "Egon", "Frida", "Frida", "Frida", "Frida"]
    assert called_after_s([DORA, EGON, FRIDA], 300) == [0, 300, 480]


def test_when_somebody_is_called_is_said_in_words() -> None:
    """The chain can be read before it is needed."""
    assert chain_words(DORA, 0, 300) == "At once; once"
    assert chain_words(EGON, 300, 300) == "5 min 0 s later, if nobody answers; 3 times, 1 min 0 s apart"


def test_an_alert_has_another_key_after_each_acknowledgement() -> None:
    """The same while nobody has it; letters and digits only, as it stands in an address."""
    assert alert_key("inc-shop-1", 0) == "backout-inc-shop-1-1"
    assert alert_key("inc-shop-1", 2) == "backout-inc-shop-1-3"
    assert BEGAN.tzinfo is UTC
