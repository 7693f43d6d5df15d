"""The appendix: every command on the host, with who, where, exit status and how long."""

from __future__ import annotations

from bot.report.blocks import Code, Grid, Paragraph, Phrase, Section, phrase
from bot.report.facts import Facts
from bot.report.people import HostCommand, host_commands_of
from bot.report.wording import NOT_RECORDED, counted, seconds_words

ENDED = ("done", "ended")  # outcomes that say no more than the exit status does


def appendix(facts: Facts) -> Section:
    """Return the table of commands."""
    heading = "Appendix: commands on the host"
    commands = host_commands_of(facts.log)
    if not commands:
        return Section(heading=heading, blocks=(Paragraph(phrase=("No command on the host is recorded.",)),))
    failed = sum(1 for command in commands if command.exit_status not in (0, None))
    unknown = sum(1 for command in commands if command.exit_status is None)
    intro = phrase(
        f"{counted(len(commands), 'command')}, {failed} with an exit status other than 0, {unknown} without one. Secrets are masked."
    )
    columns = ("Time", "Person", "Host", "Command", "Exit status", "Duration")
    rows = tuple(_row(facts, command) for command in commands)
    grid = Grid(title=None, columns=columns, rows=rows, numeric=(4, 5))
    return Section(heading=heading, blocks=(Paragraph(phrase=intro), grid))


def _row(facts: Facts, command: HostCommand) -> tuple[Phrase, ...]:
    return (
        phrase(facts.zone.when(command.at)),
        phrase(command.person),
        phrase(command.host or NOT_RECORDED),
        phrase(Code(command.command)),
        phrase(_status(command)),
        phrase(seconds_words(command.duration_s)),
    )


def _status(command: HostCommand) -> str:
    status = "unknown" if command.exit_status is None else str(command.exit_status)
    outcome = command.outcome
    return f"{status} ({outcome})" if outcome and outcome not in ENDED else status
