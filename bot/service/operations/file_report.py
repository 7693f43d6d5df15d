"""The post-mortem as files once the incident is closed: on the site's host, and an amended one wherever it was written."""

from __future__ import annotations

from typing import Any

from bot.model.errors import FailedError, NotStartedError
from bot.model.event import Kind, NewEntry
from bot.model.message import REPORT_SLOT, Message, Tone
from bot.model.step import Step
from bot.ports.host import Command
from bot.ports.store import Transaction
from bot.service.engine import OperationContext
from bot.service.parts import Parts
from bot.service.reports import report_text, write_report
from bot.service.site_work import SiteWork

HOST_FOLDER = "~/incident-reports"

# Puts standard input into the folder as a new file of the name $1, whole or not at all, and prints its path. One that is
# there stays: with the same content it is the answer, with another the next name is taken.
_PUT = """
set -eu
umask 077
case ${HOME-} in /*) ;; *) echo 'this account has no home folder' >&2; exit 3 ;; esac
folder=${HOME%/}/incident-reports
mkdir -p -- "$folder"
cd -- "$folder"
part=.$1.$$.part
trap 'rm -f -- "$part"' EXIT
cat >"$part"
number=1
file=$1.md
while [ "$number" -le 999 ]; do
    if [ ! -e "$file" ] && [ ! -L "$file" ] && ln -- "$part" "$file" 2>/dev/null; then printf '%s/%s\\n' "$folder" "$file"; exit 0; fi
    if [ -f "$file" ] && cmp -s -- "$part" "$file"; then printf '%s/%s\\n' "$folder" "$file"; exit 0; fi
    if [ ! -e "$file" ] && [ ! -L "$file" ]; then echo 'this file system has no hard links' >&2; exit 4; fi
    number=$((number + 1))
    file=$1.amended-$number.md
done
exit 5
"""


async def file_report(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Write the amended post-mortem, and where the site says so the one on the host.

    *Changes*: Backout's own folder of reports; on the host one new file, and the folder where there is none.
    """
    work = SiteWork(ctx, parts)
    done: dict[str, Any] = {}
    if ctx.args.get("amended"):
        done["path"] = await _amended(work, parts)
    if parts.site(work.site_name).reports_on_host:
        done["host_path"] = await _on_host(work, parts)
    return done


async def _amended(work: SiteWork, parts: Parts) -> str:
    text = await report_text(parts, work.incident_id, work.site_name)

    async def write() -> dict[str, str]:
        written = await write_report(parts, work.incident_id)
        return {"path": str(written.path), "name": written.name, "told": written.told}

    async def record(tx: Transaction, done: dict[str, str]) -> None:
        said = f"The amended post-mortem is written: {done.get('told') or done['path']}"
        entry = NewEntry(kind=Kind.REPORT_WRITTEN, text=said, data={"path": done["path"]})
        await tx.append(work.incident_id, [entry])
        message = Message(
            slot=f"{REPORT_SLOT}-{done['name']}",
            title=f"Post-mortem of {work.incident_id}, amended",
            tone=Tone.NEUTRAL,
            step=int(Step.REPORT),
            body="As it stands with what was added since; the earlier one stays.",
            file_name=f"{done['name']}.md",
            file_text=text,
        )
        await tx.put_message(work.incident_id, message)

    return str((await work.ctx.step("written", write, record))["path"])


async def _on_host(work: SiteWork, parts: Parts) -> str:
    text = await report_text(parts, work.incident_id, work.site_name)
    command = Command(argv=["sh", "-c", _PUT, "sh", work.incident_id], stdin=text)
    try:
        root = (await work.folders()).scratch_jobs
        said = await work.job("host", command, f"write the post-mortem to {HOST_FOLDER}", root=root)
    except (NotStartedError, FailedError) as error:
        raise FailedError(
            f"the post-mortem could not be written to {HOST_FOLDER} on {work.host.name}: {error} It can be read here all "
            "the same. Once that is mended: /incident report"
        ) from error
    path = said.strip()
    text = f"The post-mortem is written on the host: {path}"

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        data = {"path": path, "host": work.host.name}
        await tx.append(work.incident_id, [NewEntry(kind=Kind.REPORT_WRITTEN, text=text, data=data)])

    await work.ctx.step("told", nothing, record)
    return path
