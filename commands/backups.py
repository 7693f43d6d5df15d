"""`/backups`: what there is, what each is worth, and a proven copy of the present state."""

from __future__ import annotations

from bot.model.command import Completion
from bot.model.message import Reply
from bot.model.person import Permission
from bot.model.step import Step
from bot.runbook import guards
from bot.service import precautions
from bot.service.desk import begin
from bot.service.parts import Call, Parts
from commands.arguments import Argument, Command

WORD = "/backups"


async def _list(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    kind, text = "backups", "Looking at every backup; verdicts come into the channel."
    if "wide" in values:
        kind, text = (
            "search_wider",
            "Searching the host for other backups; what is found comes into the channel.",
        )
    return await begin(
        parts, call, kind=kind, guard=guards.refuse_backups, started=text, step=Step.CHOOSE_BACKUP
    )


async def _inspect(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    args = {"path": values["file"], "load": "load" in values}
    text = f"Inspecting {values['file']}; the verdict comes into the channel."
    return await begin(
        parts,
        call,
        kind="inspect",
        guard=guards.refuse_backups,
        started=text,
        step=Step.CHOOSE_BACKUP,
        args=args,
    )


async def _compare(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Comparing the other backups with production; the answer comes into the channel."
    return await begin(
        parts,
        call,
        kind="compare_backups",
        guard=guards.refuse_compare,
        started=text,
        step=Step.CHOOSE_BACKUP,
    )


async def _create(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Taking a safety backup of the database as it is now, and proving it."
    return await begin(
        parts,
        call,
        kind="safety",
        guard=guards.refuse_safety_backup,
        started=text,
        step=Step.SAFETY_BACKUP,
        changes_site=True,
    )


async def _health(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return await precautions.health(parts, call, now="now" in values)


async def _drill(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await precautions.drill(parts, call)


COMMANDS = (
    Command(
        word=WORD,
        sub="list",
        summary="every backup with its verdict, and which one to take; --wide searches the host beyond the settings",
        run=_list,
        permission=Permission.RESPOND,
        arguments=(Argument(name="wide", flag=True, hint="search the host beyond the settings"),),
    ),
    Command(
        word=WORD,
        sub="inspect",
        summary="look into one backup; --load proves one that has no end marker by loading it",
        run=_inspect,
        permission=Permission.RESPOND,
        arguments=(
            Argument(name="file", required=True, hint="its path on the host", completes=Completion.BACKUP),
            Argument(name="load", flag=True, hint="prove it by loading it into a copy"),
        ),
    ),
    Command(
        word=WORD,
        sub="compare",
        summary="which other backup has rows that production has not, and the window that no backup covers",
        run=_compare,
        permission=Permission.RESPOND,
    ),
    Command(
        word=WORD,
        sub="create",
        summary="take the safety backup of the present state (step 4)",
        run=_create,
        permission=Permission.RESPOND,
    ),
    Command(
        word=WORD,
        sub="health",
        summary="how a site's backups were at the last check, and the trend; --now looks again",
        run=_health,
        permission=Permission.READ,
        arguments=(Argument(name="site"), Argument(name="now", flag=True)),
        needs_incident=False,
        names_site=True,
    ),
    Command(
        word=WORD,
        sub="drill",
        summary="restore the newest backup into scratch, prove it, and tell how long that took",
        run=_drill,
        permission=Permission.RESPOND,
        arguments=(Argument(name="site"),),
        needs_incident=False,
        names_site=True,
    ),
)
