"""`/app`: freeze, align, deploy, check, reopen."""

from __future__ import annotations

from bot.model.decision import Choice
from bot.model.incident import Cutover, Incident
from bot.model.message import Reply, Tone
from bot.model.person import Permission
from bot.model.step import Step
from bot.runbook import guards
from bot.service import apps
from bot.service.desk import Question, ask, begin
from bot.service.parts import Call, Parts
from commands.arguments import Argument, Command

WORD = "/app"


async def _status(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await apps.status(parts, call)


async def _freeze(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    question = Question(
        purpose="freeze",
        question=f"Freeze {call.site} now?",
        body="Visitors get a maintenance page (503) until /app reopen. No data are changed.",
        choices=(
            Choice(key="freeze", label="Freeze", style="primary", starts="freeze"),
            Choice(key="wait", label="Not now", rejects=True),
        ),
        step=Step.FREEZE,
    )
    return await ask(parts, call, guard=guards.refuse_freeze, question=lambda _: question, step=Step.FREEZE)


async def _rollback(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Reading which migrations stand in the database; the answer comes into the channel."
    return await begin(parts, call, kind="align", guard=guards.refuse_rollback, started=text, step=Step.ALIGN)


async def _deploy(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    text = "Fetching the corrected code, reviewing and rehearsing it on a copy; then you are asked."
    args = {"commit": values["commit"]} if "commit" in values else {}
    return await begin(
        parts, call, kind="propose", guard=guards.refuse_deploy, started=text, step=Step.DEPLOY, args=args
    )


async def _check(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Verifying the data, then visiting the application behind the bypass."
    return await begin(
        parts,
        call,
        kind="check",
        guard=guards.refuse_check,
        started=text,
        step=Step.VERIFY_DATA,
        changes_site=True,
    )


async def _caches(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    question = Question(
        purpose="caches",
        question=f"Clear the caches of {call.site} that need it?",
        body="Only those whose code or data changed; the maintenance flag is never cleared.",
        choices=(
            Choice(key="clear", label="Clear them", style="primary", starts="caches"),
            Choice(key="leave", label="Leave them", rejects=True),
        ),
        step=Step.TEST_APP,
    )
    return await ask(parts, call, guard=guards.refuse_caches, question=lambda _: question, step=Step.TEST_APP)


async def _reopen(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await ask(
        parts, call, guard=guards.refuse_reopen_anyway, question=_reopen_question, step=Step.REOPEN
    )


def _reopen_question(incident: Incident) -> Question:
    """Return the question before the site is opened; without a restore it says so, and marks the yes as a danger."""
    restored = incident.cutover is Cutover.DONE
    if objections := guards.reopen_objections(incident):
        return _reopen_anyway_question(incident, objections)
    return Question(
        purpose="reopen",
        question=f"Open {incident.site} to visitors again{'' if restored else ' WITHOUT restoring'}?",
        body=(
            "The maintenance mode ends; the log is watched afterwards. From then on an undo loses what visitors write."
            if restored
            else "Nothing was restored: visitors get the site with the data as they are now. The maintenance mode ends, the log is "
            "watched afterwards. What visitors write from then on makes a later restore harder. To restore instead: /restore plan"
        ),
        choices=(
            Choice(
                key="reopen",
                label="Reopen" if restored else "Reopen without restoring",
                style="primary" if restored else "danger",
                starts="reopen",
            ),
            Choice(key="wait", label="Not yet", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.REOPEN,
    )


def _reopen_anyway_question(incident: Incident, objections: tuple[str, ...]) -> Question:
    """Return the question where something stands against it: it is named, and taken along with the yes.

    A test that failed asks for the site's name besides; a list that is not ticked costs no more than this one press.
    """
    failed = bool(guards.test_objections(incident))
    return Question(
        purpose="reopen",
        question=f"Open {incident.site} to visitors again, IN SPITE of what stands against it?",
        body="\n".join(f"- {objection}" for objection in objections)
        + "\nTo mend it first: `/app check` tests again, `/restore undo` goes back. From the opening on an undo loses what visitors "
        "write. What stands here is told in the report.",
        choices=(
            Choice(
                key="reopen",
                label="Reopen in spite of that",
                style="danger",
                typed=incident.site if failed else None,
                starts="reopen_anyway",
                args={"accepted": list(objections)},
            ),
            Choice(key="wait", label="Not yet", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.REOPEN,
        tone=Tone.BAD if failed else Tone.WARNING,
    )


async def _logs(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await apps.logs(parts, call)


COMMANDS = (
    Command(
        word=WORD,
        sub="status",
        summary="is it open, which commit, which migration was the last",
        run=_status,
        permission=Permission.READ,
        asks_host=True,
    ),
    Command(
        word=WORD,
        sub="freeze",
        summary="maintenance mode, and the proof that nothing writes (step 2)",
        run=_freeze,
        permission=Permission.RESPOND,
        changes="the maintenance flag",
    ),
    Command(
        word=WORD,
        sub="rollback",
        summary="whether a migration is to be rolled back after the restore, and why not (step 6)",
        run=_rollback,
        permission=Permission.RESPOND,
    ),
    Command(
        word=WORD,
        sub="deploy",
        summary="fetch, review and rehearse the corrected migration, then ask (step 7)",
        run=_deploy,
        permission=Permission.RESPOND,
        arguments=(Argument(name="commit", hint="the corrected commit; the newest where none is named"),),
        changes="the site's code and data, after a question",
    ),
    Command(
        word=WORD,
        sub="check",
        summary="verify the data and test the application behind the bypass (steps 8 and 9)",
        run=_check,
        permission=Permission.RESPOND,
    ),
    Command(
        word=WORD,
        sub="caches",
        summary="clear the caches that need it",
        run=_caches,
        permission=Permission.RESPOND,
        changes="caches, after a question",
    ),
    Command(
        word=WORD,
        sub="reopen",
        summary="open to visitors, and watch the log (step 10)",
        run=_reopen,
        permission=Permission.APPROVE,
        changes="the maintenance flag, after a question",
    ),
    Command(
        word=WORD,
        sub="logs",
        summary="counts of errors in the log, never their text",
        run=_logs,
        permission=Permission.READ,
        asks_host=True,
    ),
)
