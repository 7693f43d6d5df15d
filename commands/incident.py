"""`/incident`: open, follow, escalate, close."""

from __future__ import annotations

from bot.model.command import Completion
from bot.model.message import Reply
from bot.model.person import Permission
from bot.model.step import Step
from bot.runbook import guards
from bot.service import actions, answers, at_hand, incidents
from bot.service.desk import begin
from bot.service.parts import Call, Parts
from commands.arguments import Argument, Command

WORD = "/incident"


async def _start(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return await incidents.start(parts, call, values["site"], values.get("what happened", ""))


async def _assess(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Finding out what was lost; the result comes into the channel."
    return await begin(parts, call, kind="assess", guard=guards.refuse_assess, started=text, step=Step.ASSESS)


async def _status(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await incidents.status(parts, call)


async def _timeline(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await incidents.timeline(parts, call)


async def _note(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return await incidents.note(parts, call, values["text"])


async def _escalate(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    args = {"reason": values.get("reason") or f"asked for by {call.person.name}"}
    text = "Calling the first contact."
    return await begin(
        parts, call, kind="escalate", guard=guards.refuse_assess, started=text, step=Step.ASSESS, args=args
    )


async def _ack(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    text = "Thank you; the calls stop."
    return await begin(
        parts, call, kind="acknowledge", guard=guards.refuse_ack, started=text, step=Step.ASSESS
    )


async def _contacts(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await at_hand.contacts(parts, call)


async def _commands(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await at_hand.commands(parts, call)


async def _cancel(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await incidents.cancel(parts, call)


async def _release(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await incidents.release(parts, call)


async def _close(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return await incidents.close(
        parts, call, values.get("outcome", ""), now="now" in values, by_hand="unproven" in values
    )


async def _report(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await incidents.report(parts, call)


async def _answer(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    return await answers.answer(parts, call.person, values["decision"], values["answer"], values.get("word"))


async def _list(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await incidents.list_all(parts, call)


async def _actions(parts: Parts, call: Call, _: dict[str, str]) -> Reply:
    return await actions.list_actions(parts, call)


async def _action(parts: Parts, call: Call, values: dict[str, str]) -> Reply:
    rest = values.get("note or name", "")
    return await actions.change_action(parts, call, values["change"], values["number"], rest)


COMMANDS = (
    Command(
        word=WORD,
        sub="start",
        summary="open an incident for a site and find out what was lost",
        run=_start,
        permission=Permission.RESPOND,
        arguments=(
            Argument(
                name="site",
                required=True,
                hint="the application that lost data",
                completes=Completion.SITE,
            ),
            Argument(name="what happened", rest=True, hint="as you would say it: what is gone, since when"),
        ),
        needs_incident=False,
        names_site=True,
    ),
    Command(
        word=WORD,
        sub="assess",
        summary="find out again what was lost",
        run=_assess,
        permission=Permission.RESPOND,
    ),
    Command(
        word=WORD,
        sub="status",
        summary="what is known, and what comes next",
        run=_status,
        permission=Permission.READ,
    ),
    Command(
        word=WORD,
        sub="timeline",
        summary="the last entries of the timeline",
        run=_timeline,
        permission=Permission.READ,
    ),
    Command(
        word=WORD,
        sub="note",
        summary="write something into the timeline",
        run=_note,
        permission=Permission.RESPOND,
        arguments=(Argument(name="text", required=True, rest=True, hint="what everybody should know"),),
    ),
    Command(
        word=WORD,
        sub="escalate",
        summary="call the DBA, again and again until someone answers",
        run=_escalate,
        permission=Permission.RESPOND,
        arguments=(Argument(name="reason", rest=True, hint="what you need help with"),),
    ),
    Command(
        word=WORD,
        sub="ack",
        summary="say that you have it; the calls stop",
        run=_ack,
        permission=Permission.READ,
    ),
    Command(word=WORD, sub="contacts", summary="whom to call", run=_contacts, permission=Permission.READ),
    Command(
        word=WORD,
        sub="commands",
        summary="the commands by hand, with this site's real values",
        run=_commands,
        permission=Permission.READ,
    ),
    Command(
        word=WORD,
        sub="cancel",
        summary="stop what is running, on the host first",
        run=_cancel,
        permission=Permission.RESPOND,
        changes="stops a running operation",
    ),
    Command(
        word=WORD,
        sub="release",
        summary="free the site that a failed operation keeps",
        run=_release,
        permission=Permission.APPROVE,
        changes="lets the next operation change the site",
    ),
    Command(
        word=WORD,
        sub="close",
        summary="end the incident and write the report",
        run=_close,
        permission=Permission.RESPOND,
        arguments=(
            Argument(name="now", flag=True, hint="without a question"),
            Argument(name="unproven", flag=True, hint="what others have taken over, as it is"),
            Argument(name="outcome", rest=True, hint="how it ended"),
        ),
    ),
    Command(
        word=WORD,
        sub="answer",
        summary="answer an open question, as its button does; a grave answer wants its word typed along",
        run=_answer,
        permission=Permission.RESPOND,
        arguments=(
            Argument(name="decision", required=True, hint="which question", completes=Completion.DECISION),
            Argument(name="answer", required=True, hint="which answer", completes=Completion.ANSWER),
            Argument(name="word", hint="what has to be typed along, such as the site's name"),
        ),
        needs_incident=False,
        changes="what the question is about",
    ),
    Command(
        word=WORD,
        sub="report",
        summary="the post-mortem as it stands now",
        run=_report,
        permission=Permission.READ,
    ),
    Command(
        word=WORD,
        sub="list",
        summary="your incidents",
        run=_list,
        permission=Permission.READ,
        needs_incident=False,
    ),
    Command(
        word=WORD,
        sub="actions",
        summary="the action items of the post-mortem, and which are open; outside an incident's channel, all open ones",
        run=_actions,
        permission=Permission.READ,
        needs_incident=False,
    ),
    Command(
        word=WORD,
        sub="action",
        summary="close an action item, open it again, or say whose it is; its number, or INCIDENT#NUMBER",
        run=_action,
        permission=Permission.RESPOND,
        arguments=(
            Argument(name="change", required=True, choices=("done", "open", "owner")),
            Argument(name="number", required=True),
            Argument(name="note or name", rest=True),
        ),
        needs_incident=False,
    ),
)
