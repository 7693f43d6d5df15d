"""`/restore`: plan, approve, look, undo (step 5)."""

from __future__ import annotations

from bot.model.command import Completion
from bot.model.message import Reply
from bot.model.person import Permission
from bot.model.step import Step
from bot.runbook import guards
from bot.service import restores
from bot.service.desk import begin
from bot.service.parts import Call, Parts, refused
from commands.arguments import Argument, Command

WORD = "/restore"
_STRATEGIES = ("salvage", "swap")


async def _plan(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    named = [strategy for strategy in _STRATEGIES if strategy in values]
    if len(named) > 1:
        options = " and ".join(f"--{name}" for name in named)
        return refused(f"{options} are two ways; a plan takes one. Nothing was changed.", "/restore plan")
    args: dict[str, object] = {"strategy": named[0] if named else "repair", "ask": "ask" in values}
    if "file" in values:
        args["path"] = values["file"]
    guard = guards.refuse_plan_on(values["file"]) if "file" in values else guards.refuse_plan
    text = "Rehearsing the recovery on a copy. Production is only read; the plan comes into the channel."
    return await begin(parts, call, kind="plan", guard=guard, started=text, step=Step.RESTORE, args=args)


async def _confirm(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return await restores.confirm(parts, call, values.get("site name"))


async def _status(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await restores.status(parts, call)


async def _undo(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Looking at what was written since the cut-over; then you are asked."
    return await begin(
        parts, call, kind="propose_undo", guard=guards.refuse_undo, started=text, step=Step.RESTORE
    )


COMMANDS = (
    Command(
        word=WORD,
        sub="plan",
        summary="rehearse the recovery on a copy and propose it; --salvage takes the backup with the rows written since, --swap as it is; "
        "--ask asks again about rows that are gone",
        run=_plan,
        permission=Permission.RESPOND,
        arguments=(
            Argument(
                name="file", hint="another backup than the recommended one", completes=Completion.BACKUP
            ),
            Argument(name="salvage", flag=True, hint="the backup, with the rows written since"),
            Argument(name="swap", flag=True, hint="the backup as it is"),
            Argument(name="ask", flag=True, hint="ask again about rows that are gone"),
        ),
    ),
    Command(
        word=WORD,
        sub="confirm",
        summary="approve the plan last shown in this channel; type the site's name along",
        run=_confirm,
        permission=Permission.APPROVE,
        arguments=(Argument(name="site name", hint="type the site's name: you know what you approve"),),
        changes="replaces production's data, once, with an undo",
    ),
    Command(
        word=WORD,
        sub="status",
        summary="the plan, its proof, and what is so now",
        run=_status,
        permission=Permission.READ,
    ),
    Command(
        word=WORD,
        sub="undo",
        summary="go back to the state before the cut-over, database and code",
        run=_undo,
        permission=Permission.APPROVE,
        changes="replaces production's data by the safety backup, after a question",
    ),
)
