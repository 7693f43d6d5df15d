"""What every chat platform says in the same way: signs, cuts, bars, the file beside a message that is too long."""

from __future__ import annotations

from adapters.chat_common.tables import lines_of
from bot.model.decision import Choice, Decision, DecisionState
from bot.model.message import Message, Progress, Tone

SIGNS = {Tone.NEUTRAL: "⚪", Tone.WORKING: "⏳", Tone.GOOD: "🟢", Tone.WARNING: "🟠", Tone.BAD: "🔴"}
BAR = 20


def cut(text: str, limit: int) -> str:
    """Return the text, or its beginning with an ellipsis where it is longer than the limit."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def needs_modal(choice: Choice) -> bool:
    """Return whether an answer is so grave that all of it is shown once more, and a word typed where one is asked for."""
    return choice.typed is not None or (choice.style == "danger" and choice.starts is not None)


def is_said_by_answer(decision: Decision | None) -> bool:
    """Return whether a message's body only says who answered what: its last line says the same, with the time."""
    return decision is not None and decision.state is DecisionState.ANSWERED


def bar_of(progress: Progress) -> tuple[str, int]:
    """Return a bar and the percents it stands for; `total` must be known."""
    share = max(0.0, min(1.0, progress.done / progress.total))
    full = int(share * BAR)
    return "█" * full + "░" * (BAR - full), int(share * 100)


def own_file(message: Message) -> tuple[str, str] | None:
    """Return the file that a message brings along, name and text; None where it has none."""
    if message.file_text is None:
        return None
    return (message.file_name or "output.txt", message.file_text or "(empty)\n")


def whole_file(message: Message) -> tuple[str, str]:
    """Return all that a message says, as a text file, for a platform that cannot show all of it."""
    parts = [message.title, message.body, *(f"{label}: {value}" for label, value in message.facts)]
    if message.table is not None:
        parts.append("\n".join(lines_of(message.table, None)))
    return (f"{message.slot.replace(':', '-')}.txt", "\n\n".join(part for part in parts if part) + "\n")
