"""One realistic incident as the console reads it: the album site, at the moment in which a plan waits for approval."""

from __future__ import annotations

from typing import Any

DAY = "2026-03-14T"
BAD_MIGRATION = "2026_03_13_120000_convert_photos_to_posts"


def at(time: str) -> str:
    return f"{DAY}{time}+00:00"


def message(slot: str, title: str, time: str, **fields: Any) -> dict[str, Any]:
    """Return a message with every field of the documented shape, revision 1."""
    shape = {
        "id": f"msg-{slot}",
        "revision": 1,
        "slot": slot,
        "title": title,
        "tone": "neutral",
        "step": None,
        "body": "",
        "facts": [],
        "table": None,
        "progress": None,
        "decision_id": None,
        "next_steps": [],
        "file_name": None,
        "file_text": None,
        "created_at": at(time),
        "updated_at": at(time),
    }
    return shape | fields


def decision(decision_id: str, question: str, choices: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return an open decision with every field of the documented shape."""
    shape = {
        "id": decision_id,
        "incident_id": "INC-7",
        "purpose": decision_id,
        "question": question,
        "body": "",
        "choices": choices,
        "permission": "approve",
        "state": "open",
        "votes": {},
        "votes_needed": 1,
        "opened_at": "2026-03-13T03:00:00+00:00",
        "answer": None,
        "answered_by": None,
        "answered_at": None,
        "expires_at": None,
        "void_reason": None,
    }
    return shape | fields


def choice(key: str, label: str, style: str = "default", typed: str | None = None) -> dict[str, Any]:
    return {"key": key, "label": label, "style": style, "typed": typed}


def steps() -> list[dict[str, Any]]:
    rows = [
        ("Assess", "done", "37,640 values lost in photos", "03:02:11"),
        ("Freeze", "done", "proven; 503 seen from outside", "03:04:40"),
        ("Choose backup", "done", "deploy-20260313.sqlite.zst, VERIFIED", "03:06:02"),
        ("Safety backup", "done", "42 MB, sha256 9f2c…", "03:07:15"),
        ("Restore", "running", "rehearsed; waits for approval", "03:09:58"),
        ("Align migrations", "waiting", "", None),
        ("Deploy corrected", "refused", "first commit stopped: comments would shrink", "03:08:31"),
        ("Verify data", "waiting", "", None),
        ("Test app", "waiting", "", None),
        ("Reopen and watch", "waiting", "", None),
        ("Report", "waiting", "a draft is there at any time", None),
    ]
    return [
        {"number": n, "name": name, "status": status, "note": note, "at": time and at(time)}
        for n, (name, status, note, time) in enumerate(rows, start=1)
    ]


def column(name: str, status: str, before: int, lost: int, moved: int, to: str | None) -> dict[str, Any]:
    return {
        "column": name,
        "status": status,
        "values_before": before,
        "values_lost": lost,
        "values_moved": moved,
        "moved_to": to,
    }


def table(
    name: str,
    status: str,
    before: int | None,
    after: int | None,
    changes: tuple[int, int, int],
    columns: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "table": name,
        "status": status,
        "rows_before": before,
        "rows_after": after,
        "missing": changes[0],
        "new": changes[1],
        "changed": changes[2],
        "columns": columns,
    }


def loss() -> dict[str, Any]:
    tables = [
        table(
            "photos",
            "columns lost",
            50_000,
            50_197,
            (3, 200, 14),
            [
                column("caption", "dropped", 37_640, 37_640, 0, None),
                column("title", "moved", 50_000, 0, 49_997, "posts.title"),
            ],
        ),
        table("comments", "kept", 10_000, 10_050, (0, 50, 0), []),
        table("users", "kept", 1_204, 1_204, (0, 0, 2), []),
        table("posts", "new since the backup", None, 50_197, (0, 50_197, 0), []),
        table("<script>alert('table')</script>", "kept", 12, 12, (0, 0, 0), []),
    ]
    totals = {"rows_lost": 3, "values_lost": 37_640, "values_moved": 49_997, "rows_new": 250}
    return {"verdict": "loss", "tables": tables, "totals": totals}


def decisions() -> list[dict[str, Any]]:
    approve = decision(
        "dec-approve",
        "Carry out the plan on album?",
        [
            choice("approve", "Approve the plan", "danger", typed="album"),
            choice("reject", "Reject"),
            choice("dba", "Call the DBA"),
        ],
        body="The cut-over takes about **1 second** and can be taken back with `/restore undo` until the site reopens.",
        votes={"Grace Hopper": "approve"},
        votes_needed=2,
        expires_at=at("03:40:00"),
    )
    strategy = decision(
        "dec-strategy",
        "Which way back?",
        [choice("repair", "Repair (recommended)", "primary"), choice("swap", "Swap with salvage")],
        state="answered",
        votes={"Ada Byron": "repair"},
        answer="repair",
        answered_by="Ada Byron",
        answered_at=at("03:07:48"),
    )
    void = decision(
        "dec-old-plan",
        "Carry out the plan of 03:05 on album?",
        [choice("approve", "Approve the plan", "danger", typed="album"), choice("reject", "Reject")],
        state="void",
        void_reason="the live database changed after the plan was made",
    )
    return [approve, strategy, void]


def messages() -> list[dict[str, Any]]:
    lost = [
        ["photos", "50,000", "50,197", "37,640"],
        ["comments", "10,000", "10,050", "0"],
        ["users", "1,204", "1,204", "0"],
        ["<img src=x onerror=alert(1)>", "12", "12", "0"],
    ]
    backups = [
        [
            "deploy-20260313.sqlite.zst",
            "VERIFIED",
            "2026-03-13 11:58",
            "38 MB",
            "taken 2 minutes before the migration",
        ],
        ["nightly-20260314.sqlite", "REFUSED", "2026-03-14 02:00", "41 MB", "taken after the bad migration"],
        ["nightly-20260313.sqlite.gz", "REFUSED", "2026-03-13 02:00", "0 MB", "cut short: no end"],
        [
            "copy-before-deploy.db",
            "COULD NOT VERIFY",
            "2026-03-12 23:10",
            "37 MB",
            "written to while it was copied",
        ],
    ]
    log = "\n".join(
        f"[2026-03-14 03:0{n % 10}:00] production.ERROR: column not found, record {n}" for n in range(60)
    )
    return [
        message(
            "assessed",
            "Data were lost: 37,640 values in 1 column",
            "03:02:11",
            tone="bad",
            step=1,
            body=f"The migration `{BAD_MIGRATION}` dropped **photos.caption** before it was copied.\nNothing was changed by looking.",
            facts=[
                ["Laravel", "8.83.27 on PHP 8.2"],
                ["Database", "SQLite, `database/database.sqlite`, 41 MB"],
                ["Compared with", "`deploy-20260313.sqlite.zst`"],
                ["Rows written since", "250"],
            ],
            table={
                "columns": ["Table", "Rows before", "Rows now", "Values lost"],
                "rows": lost,
                "numeric": [1, 2, 3],
            },
            next_steps=["/app freeze", "/incident escalate data loss in album"],
        ),
        message(
            "freeze",
            "The application is frozen, and it is proven",
            "03:04:40",
            tone="good",
            step=2,
            facts=[["Seen from outside", "503"], ["Workers", "none"], ["Two samples, 5 s apart", "agree"]],
        ),
        message(
            "backups",
            "4 backups found, 1 can be used",
            "03:06:02",
            tone="good",
            step=3,
            table={
                "columns": ["File", "Verdict", "Finished", "Size", "Why"],
                "rows": backups,
                "numeric": [3],
            },
        ),
        message("old-plan", "Plan of 03:05", "03:06:40", decision_id="dec-old-plan", step=5),
        message(
            "strategy",
            "Two ways back are open",
            "03:07:20",
            step=5,
            body="**Repair** keeps all 250 rows written since the backup and fills the 37,640 values back by key.",
            decision_id="dec-strategy",
        ),
        message(
            "deploy",
            "Corrected migration a41f9c2 was stopped by its rehearsal",
            "03:08:31",
            tone="warning",
            step=7,
            body="On the copy, **comments** shrank from 10,050 to 0 (R12). Production was not touched.",
            file_name="rehearsal.log",
            file_text=log,
        ),
        message(
            "scratch",
            "Rehearsing the repair on a copy",
            "03:09:20",
            tone="working",
            step=5,
            progress={"what": "Filling photos.caption", "done": 31_250, "total": 37_640, "unit": "values"},
        ),
        message(
            "plan",
            "The plan is proven on a copy",
            "03:09:58",
            tone="good",
            step=5,
            facts=[
                ["Strategy", "repair"],
                ["Rows kept", "61,501"],
                ["Values put back", "37,640"],
                ["Unaccounted", "0"],
            ],
            decision_id="dec-approve",
        ),
    ]


def incident() -> dict[str, Any]:
    return {
        "id": "INC-7",
        "site": "album",
        "title": "captions are gone after tonight's deploy",
        "channel": "inc-7-album",
        "opened_at": at("03:01:50"),
        "opened_by": "Ada Byron",
        "closed_at": None,
        "headline": "Frozen. A proven plan waits for a second approval",
        "tone": "warning",
        "down_since": at("03:04:36"),
        "downtime_s": 402.0,
        "steps": steps(),
        "loss": loss(),
        "operation": {"id": "op-12", "kind": "restore", "person": "Ada Byron", "since": at("03:09:02")},
        "next_commands": [
            {"text": "/restore confirm", "summary": "approve the plan, same as its button"},
            {"text": "/restore plan --swap", "summary": "make another plan"},
            {"text": "/incident status", "summary": "what is true now"},
        ],
        "messages": messages(),
        "decisions": decisions(),
    }


def closed_incident() -> dict[str, Any]:
    return incident() | {
        "id": "INC-6",
        "title": "search index empty",
        "channel": "inc-6-shop",
        "site": "shop",
        "headline": "Closed: nothing was lost",
        "tone": "good",
        "closed_at": at("01:10:00"),
        "opened_at": at("00:40:00"),
        "down_since": None,
        "downtime_s": 731.0,
        "messages": [],
        "decisions": [],
        "loss": None,
        "operation": None,
        "next_commands": [],
        "steps": [step | {"status": "done", "note": ""} for step in steps()],
    }


def host_command(command: str, status: int | None, duration: float | None) -> tuple[str, str, dict[str, Any]]:
    data = {"command": command, "host": "album.example:22", "person": "Ada Byron", "exit_status": status}
    return ("host.command", command, data | {"duration_s": duration})


def timeline() -> list[dict[str, Any]]:
    told: list[tuple[str, str, dict[str, Any]]] = [
        ("incident.opened", "Opened for album: captions are gone after tonight's deploy", {}),
        ("command", "/incident start album captions are gone", {}),
        host_command("php artisan migrate:status", 0, 0.412),
        host_command("python3 reader.pyz manifest", 0, 6.3),
        ("assessed", "37,640 values lost in photos.caption", {}),
        host_command("php artisan down --retry=300", 0, 0.38),
        ("frozen", "Frozen and proven: 503 from outside, no writer", {}),
        ("backups.listed", "4 backups found, 1 usable", {}),
        ("safety.made", "Safety backup 42 MB, end marker and counts agree", {}),
        ("decision.answered", "Which way back? Ada Byron chose Repair", {}),
        host_command("git fetch origin", 1, 2.07),
        host_command("python3 reader.pyz repair", None, None),
        ("step.unknown", "The link to the host was cut; looking, not repeating", {}),
        ("rehearsed", "Plan proven on a copy: unaccounted 0", {}),
        ("decision.opened", "Carry out the plan on album?", {}),
        ("note", "Support says 14 customers have written in", {}),
    ]
    return [
        {
            "sequence": n,
            "at": at(f"03:{n:02d}:12"),
            "actor": "backout" if kind != "command" else "Ada Byron",
            "kind": kind,
            "text": text,
            "data": data,
            "hash": f"{n:064x}",
        }
        for n, (kind, text, data) in enumerate(told, start=1)
    ]


REPORT_MD = "# Migration Incident - 2026-03-14\n\n## What Happened\n\nThe migration dropped a column.\n"
REPORT_PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
REPORT_HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Migration Incident</title>
<style>body { font-family: sans-serif; margin: 2rem; } h1 { color: rgb(1, 2, 3); } @media (prefers-color-scheme: dark) { h1, body { color: rgb(250, 250, 250); } }</style>
<script>parent.document.title = "script ran in the report";</script></head>
<body><h1 id="top">Migration Incident - 2026-03-14</h1><h2>What Happened</h2>
<p style="margin-left: 11px">The migration dropped a column.</p></body></html>"""
