"""What each version of Laravel prints for the commands whose text Backout reads, each marked with its origin.

`RECORDED`: taken from that version as it ran. `WRITTEN`: written by hand after that version's source, never run here.
Backout judges by rows, tables and the flag's state, never by these texts; they are told to people. Of `down`, `up`,
`optimize` and the `…:clear` commands nothing printed is read at all, and `about`, `db:show` and tinker are not called.
"""

from __future__ import annotations

from dataclasses import dataclass

RECORDED, WRITTEN = "recorded", "written after the source"
MAJORS = (8, 9, 10, 11, 12, 13)

OLD = "2025_11_20_090000_add_location_to_albums_table"
NEW = "2025_11_25_120000_convert_albums_to_multi_album_pages"


@dataclass(frozen=True, kw_only=True)
class Output:
    """One output: of which command, of which versions (the first one counts as its mark), and where it comes from."""

    command: str
    versions: tuple[str, ...]
    origin: str
    text: str

    @property
    def majors(self) -> set[int]:
        """Return the major versions that print it."""
        return {int(version.partition(".")[0]) for version in self.versions}


# Up to 9.20 as in 8; from 9.21 the console's new look: two blanks, dots to the width, a heading in a blank line.
TABLE = f"""+------+-------------------------------------------------------+-------+
| Ran? | Migration                                             | Batch |
+------+-------------------------------------------------------+-------+
| Yes  | {OLD}        | 3     |
| No   | {NEW} |       |
+------+-------------------------------------------------------+-------+
"""
LIST = f"""
  Migration name .............................................. Batch / Status \x20
  {OLD} ..................... [3] Ran \x20
  {NEW} .............. Pending \x20

"""
# 9.21 to 10 write whole milliseconds, with thousands marked; later ones two places, and longer times in words.
WHOLE_MS = ("30ms", "1,203ms")
IN_WORDS = ("13.23ms", "1m 5s")


def _ran(times: tuple[str, str]) -> str:
    return f"\n   INFO  Running migrations.  \n\n  {OLD} ............ {times[0]} DONE\n  {NEW} ..... {times[1]} DONE\n\n"


def _back(time: str) -> str:
    return f"\n   INFO  Rolling back migrations.  \n\n  {NEW} ..... {time} DONE\n\n"


PRETENDED = f"""
   INFO  Running migrations.  \n
  {OLD} ....
  ⇂ alter table "albums" add column "location" varchar  \n
"""
PRETENDED_8 = f'Migrating: {OLD}\nAddLocation: alter table "albums" add column "location" varchar\n'

OUTPUTS = (
    Output(command="migrate:status", versions=("8.83.26",), origin=RECORDED, text=TABLE),
    Output(command="migrate:status", versions=("9.0", "9.20"), origin=WRITTEN, text=TABLE),
    Output(command="migrate:status", versions=("9.21", "10.0", "11.0", "13.0"), origin=WRITTEN, text=LIST),
    Output(command="migrate:status", versions=("12.67",), origin=RECORDED, text=LIST),
    Output(
        command="migrate",
        versions=("8.83.26",),
        origin=RECORDED,
        text=f"Migrating: {OLD}\nMigrated:  {OLD} (13.23ms)\nMigrating: {NEW}\nMigrated:  {NEW} (21,975.32ms)\n",
    ),
    Output(
        command="migrate",
        versions=("9.0", "9.20"),
        origin=WRITTEN,
        text=f"Migrating: {OLD}\nMigrated:  {OLD} (13.23ms)\nMigrating: {NEW}\nMigrated:  {NEW} (975.32ms)\n",
    ),
    Output(command="migrate", versions=("9.21", "10.0"), origin=WRITTEN, text=_ran(WHOLE_MS)),
    Output(command="migrate", versions=("11.0", "13.0"), origin=WRITTEN, text=_ran(IN_WORDS)),
    Output(command="migrate", versions=("12.67",), origin=RECORDED, text=_ran(IN_WORDS)),
    Output(
        command="migrate:rollback",
        versions=("8.83.26",),
        origin=RECORDED,
        text=f"Rolling back: {NEW}\nRolled back:  {NEW} (28.16ms)\n",
    ),
    Output(command="migrate:rollback", versions=("9.21", "10.0"), origin=WRITTEN, text=_back("1,028ms")),
    Output(command="migrate:rollback", versions=("11.0", "13.0"), origin=WRITTEN, text=_back("28.16ms")),
    Output(command="migrate:rollback", versions=("12.67",), origin=RECORDED, text=_back("2.1ms")),
    Output(command="migrate --pretend", versions=("8.83.26",), origin=RECORDED, text=PRETENDED_8),
    Output(
        command="migrate --pretend",
        versions=("9.21", "10.0", "11.0", "13.0"),
        origin=WRITTEN,
        text=PRETENDED,
    ),
    Output(command="migrate --pretend", versions=("12.67",), origin=RECORDED, text=PRETENDED),
    Output(
        command="nothing to migrate",
        versions=("8.83.26",),
        origin=RECORDED,
        text="Nothing to migrate.\n",
    ),
    Output(
        command="nothing to migrate",
        versions=("9.21", "10.0", "11.0", "12.67", "13.0"),
        origin=WRITTEN,
        text="\n   INFO  Nothing to migrate.  \n\n",
    ),
    Output(
        command="not confirmed",
        versions=("8.83.26",),
        origin=RECORDED,
        text=f"{'*' * 38}\n*     Application In Production!     *\n{'*' * 38}\n\n Do you really wish to run this command? (yes/no) [no]:\n > Command Canceled!\n",
    ),
    Output(
        command="not confirmed",
        versions=("9.21", "10.0"),
        origin=WRITTEN,
        text="\n   WARN  Command canceled.  \n\n",
    ),
    Output(
        command="not confirmed",
        versions=("11.0", "13.0"),
        origin=WRITTEN,
        text="\n   WARN  Command cancelled.  \n\n",
    ),
    Output(
        command="not confirmed", versions=("12.67",), origin=RECORDED, text="   WARN  Command cancelled.  \n"
    ),
    Output(
        command="flag of down",
        versions=("8.83.26",),
        origin=RECORDED,
        text='{"except":[],"redirect":null,"retry":300,"refresh":null,"secret":null,"status":503,"template":null}',
    ),
    Output(
        command="flag of down",
        versions=("9.0", "10.0"),
        origin=WRITTEN,
        text='{"except":[],"redirect":null,"retry":300,"refresh":null,"secret":"x","status":503,"template":null}',
    ),
    Output(
        command="flag of down",
        versions=("12.67",),
        origin=RECORDED,
        text='{"except":["\\/up"],"redirect":null,"retry":300,"refresh":null,"secret":"x","status":503,"template":null}',
    ),
    Output(
        command="flag of down",
        versions=("11.0", "13.0"),
        origin=WRITTEN,
        text='{"except":["\\/up"],"redirect":null,"retry":300,"refresh":null,"secret":"x","status":503,"template":null}',
    ),
)
COMMANDS = tuple(dict.fromkeys(output.command for output in OUTPUTS))
