"""The one line that is true now, and the commands offered: always some, never one that is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.model.event import Kind
from bot.model.incident import Cutover
from bot.model.message import Tone
from bot.model.operation import Operation
from bot.model.step import Step
from bot.runbook import guards
from bot.runbook.headline import headline, next_commands
from tests.playbooks.story import (
    ASSESSED_STORY,
    CHECKED_STORY,
    CLOSED_STORY,
    FREEZE_BROKEN,
    FROZEN_STORY,
    INTENT_STORY,
    JUST_OPENED,
    PLANNED_STORY,
    REOPENED_STORY,
    RESTORED_STORY,
    SITE,
    UNDONE,
    WHOLE_RECOVERY,
    Story,
    moment,
    step_failed,
)

SAID = [
    (JUST_OPENED, "The site is open. What was lost is not known yet.", Tone.BAD),
    (ASSESSED_STORY, "The site is open. Data were lost; nothing is restored yet.", Tone.BAD),
    (FROZEN_STORY, "The site is down and frozen. Data were lost; nothing is restored yet.", Tone.BAD),
    (FROZEN_STORY.and_then(FREEZE_BROKEN), "The site is down; the freeze is not proven.", Tone.BAD),
    (INTENT_STORY, "Production is being changed, or its last change is being looked up.", Tone.BAD),
    (RESTORED_STORY, "The data are restored; the corrected migration is not in yet.", Tone.WARNING),
    (RESTORED_STORY.and_then(UNDONE), "The cut-over was undone", Tone.BAD),
    (CHECKED_STORY, "The data are restored and the corrected migration is in.", Tone.WARNING),
    (REOPENED_STORY, "The site is open again. The data are restored", Tone.GOOD),
    (CLOSED_STORY, "Closed: recovered.", Tone.GOOD),
    (JUST_OPENED.and_then(moment(Kind.ASSESSED, loss={"verdict": "none"})), "No data were lost.", Tone.GOOD),
    (
        JUST_OPENED.and_then(moment(Kind.ASSESSED, loss={"verdict": "missing_rows"})),
        "Only deleted rows",
        Tone.BAD,
    ),
    (JUST_OPENED.and_then(moment(Kind.ASSESSED)), "no backup is verified", Tone.BAD),
    (
        JUST_OPENED.and_then(moment(Kind.INCIDENT_CLOSED, outcome="given up")),
        "Closed: given up.",
        Tone.NEUTRAL,
    ),
    (
        FROZEN_STORY.and_then(step_failed(Step.SAFETY_BACKUP, "no space")),
        "Step 4 (Safety backup) failed: no space",
        Tone.BAD,
    ),
    (
        FROZEN_STORY.and_then(step_failed(Step.SAFETY_BACKUP, "it was cancelled; its work was stopped")),
        "failed: it was cancelled.",
        Tone.BAD,
    ),
    (FROZEN_STORY.and_then(step_failed(Step.SAFETY_BACKUP, "oh no " * 500)), "oh no o…", Tone.BAD),
]


@pytest.mark.parametrize(("story", "said", "tone"), SAID)
def test_the_headline_says_what_is_so(story: Story, said: str, tone: Tone) -> None:
    """One sentence says whether the site is open and where the data stand."""
    told = headline(story.state())
    assert said in told.text
    assert told.tone is tone


def test_running_work_is_said() -> None:
    """While something runs, the line says what, and for whom."""
    running = Operation(id="1", kind="plan", incident_id="i", site=SITE, person="Anna")
    told = headline(PLANNED_STORY.state(), [running])
    assert "Working: rehearsing the recovery, for Anna." in told.text
    assert told.tone is Tone.WORKING


def test_an_unknown_change_is_said_before_all_else() -> None:
    """Not knowing whether production was changed stands above any work or failure."""
    running = Operation(id="1", kind="assess", incident_id="i", site=SITE, person="Anna")
    state = replace(FROZEN_STORY.and_then(step_failed(Step.RESTORE)).state(), cutover=Cutover.UNKNOWN)
    assert "Production is being changed" in headline(state, [running]).text


@pytest.mark.parametrize(("name", "story"), list(WHOLE_RECOVERY.items()))
def test_no_refused_command_is_offered(name: str, story: Story) -> None:
    """What is offered as the next command is never refused when it is typed."""
    of_command = {
        "/incident assess": guards.refuse_assess,
        "/app freeze": guards.refuse_freeze,
        "/backups create": guards.refuse_safety_backup,
        "/backups list": guards.refuse_backups,
        "/restore plan": guards.refuse_plan,
        f"/restore confirm {SITE}": guards.refuse_cut_over,
        "/restore undo": guards.refuse_undo,
        "/app rollback": guards.refuse_rollback,
        "/app deploy": guards.refuse_deploy,
        "/app check": guards.refuse_check,
        "/app reopen": guards.refuse_reopen,
        "/incident close": guards.refuse_close,
    }
    offered = next_commands(story.state())
    refused = [text for text, _ in offered if text in of_command and of_command[text](story.state())]
    assert refused == []


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("just opened", "/incident assess"),
        ("assessed", "/app freeze"),
        ("frozen", "/backups create"),
        ("safety backup", "/restore plan"),
        ("planned", f"/restore confirm {SITE}"),
        ("cut over", "/app rollback"),
        ("aligned", "/app deploy"),
        ("deployed", "/app check"),
        ("checked", "/app reopen"),
        ("watched", "/incident close"),
    ],
)
def test_the_next_step_is_offered(name: str, first: str) -> None:
    """At each point of a recovery the command of the next step is among those offered."""
    assert first in [text for text, _ in next_commands(WHOLE_RECOVERY[name].state())]


def test_nothing_is_offered_in_a_closed_incident() -> None:
    """A closed incident offers nothing."""
    assert next_commands(CLOSED_STORY.state()) == []


def test_at_most_four_are_offered() -> None:
    """A frightened reader gets four commands at most."""
    assert all(len(next_commands(story.state())) <= 4 for story in WHOLE_RECOVERY.values())
