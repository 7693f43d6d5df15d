"""What may not happen is refused with one message, and nothing changes; what is asked twice happens once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.crashing_bot import session_of, signal_session
from tests.site.bot_settings import APPROVER, READER, RESPONDER
from tests.site.fixtures import production_template
from tests.site.production import Production
from tests.site.scenario import INCIDENT, Scene, Stages, stages_below

__all__ = ["production_template"]


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


OUT_OF_ORDER = {
    "/restore confirm album": "/restore plan",
    "/restore undo": "/restore status",
    "/app rollback": "/restore plan",
    "/app deploy": "/restore plan",
    "/app check": "/restore plan",
    "/app caches": "/app check",
    "/incident ack": "/incident escalate",
    "/incident close": "/app reopen",
    "/restore plan missing.sql --nothing": "no option",
    "/restore": "/restore plan",
    "/backups inspect": "file",
    "/incident cancel": "Nothing is running",
    "/incident release": "not kept",
    "/incident start album again": INCIDENT,
}
"""Commands at the stage of a proven safety backup, and what the one message must name."""


def test_commands_out_of_order_say_what_is_missing(stages: Stages) -> None:
    """Each command out of its order, and a second incident on the site, is refused in words, and nothing is changed."""
    with stages.at("safe") as scene:
        before, entries = scene.content(), len(scene.entries())
        for text, names in OUT_OF_ORDER.items():
            reply = scene.api().command(text, INCIDENT)
            assert not reply["ok"], (text, reply["text"])
            told = " ".join([reply["text"], *(reply.get("suggestions") or ())])
            assert names in told, (text, told)
            assert reply["operation_id"] is None, text
        assert scene.state()["operation"] is None
        assert scene.content() == before
        assert {e["kind"] for e in scene.entries()[entries:]} <= {"command", "refused"}
        assert scene.decisions() == []
        assert len(scene.api().get("/api/incidents")) == 1


def test_persons_and_places_that_may_not_approve(stages: Stages) -> None:
    """No stranger, no reader, no other channel and no wrong word approves a plan; the plan stays as it is."""
    with stages.at("planned") as scene:
        before = scene.content()
        [decision] = scene.decisions("cutover")
        stranger = scene.bot.as_person("not-a-token")
        assert stranger.call("GET", f"/api/incidents/{INCIDENT}")[0] == 401
        assert stranger.call("POST", "/api/commands", {"text": "/restore confirm album"})[0] == 401
        assert stranger.call("POST", f"/api/decisions/{decision['id']}", {"choice": "approve"})[0] == 401
        reader = scene.api(READER)
        for text in ("/restore confirm album", "/restore plan", "/app reopen", "/incident release"):
            reply = reader.command(text, INCIDENT)
            assert (reply["ok"], "Clara" in reply["text"]) == (False, True), reply
        assert not reader.answer(decision["id"], "approve", "album")["ok"]
        elsewhere = scene.api().command("/restore confirm album", "general")
        assert (elsewhere["ok"], INCIDENT in elsewhere["text"]) == (False, True)
        for wrong in ("/restore confirm", "/restore confirm blog"):
            assert "album" in refused(scene.api().command(wrong, INCIDENT))
        assert "type album" in refused(scene.api().answer(decision["id"], "approve"))
        state = scene.state()
        assert (state["operation"], state["cutover"], scene.content()) == (None, "none", before)
        assert (
            scene.entries("decision.voted", "approved")[-1:]
            == [e for e in scene.entries("decision.voted") if e["data"]["decision_id"] != decision["id"]][-1:]
        )


def refused(reply: dict[str, Any]) -> str:
    assert not reply["ok"], reply
    return str(reply["text"])


def together(*acts: Any) -> list[Any]:
    """Run calls at the same time and return their answers."""
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda act=act: answers.append(act())) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_what_is_sent_twice_happens_once(stages: Stages) -> None:
    """A delivery sent again, and clicks at the same time by two persons, have one effect."""
    with stages.at("planned") as scene:
        again = together(
            *(lambda: scene.api().command("/backups list", INCIDENT, "delivery-1") for _ in range(4))
        )
        assert {reply["operation_id"] for reply in again} <= {"web:anna:delivery-1", None}
        scene.at_rest()
        listed = [e for e in scene.entries("command") if e["text"] == "/backups list"]
        assert len(listed) == 1
        [decision] = scene.decisions("cutover")
        clicks = together(
            *(
                lambda name=name: scene.api(name).answer(decision["id"], "approve", "album")
                for name in (RESPONDER, APPROVER) * 4
            )
        )
        assert sum(reply["ok"] for reply in clicks) == 1
        scene.until("cut-over", lambda s: s["operation"] is None and s["cutover"] == "done")
        assert (len(scene.jobs("write")), len(scene.entries("cutover.done"))) == (1, 1)
        assert len(scene.entries("approved")) == 1


def test_a_cancelled_rehearsal_is_stopped_on_the_host(stages: Stages) -> None:
    """A cancel ends the rehearsal's job on the host; nothing keeps the site, and a plan can be made again."""
    with stages.at("safe", "held:repair") as scene:
        before, player = scene.content(), scene.player()
        player.type("/restore plan")
        answer_all(scene)
        scene.until("the job runs", lambda _: any((job / "pid").exists() for job in scene.jobs("repair")))
        [job] = scene.jobs("repair")
        try:
            assert "rehearsing the recovery" in player.type("/incident cancel")["text"]
            state = scene.at_rest()
            assert session_of(job) == []
        finally:
            signal_session(job, 9)
        assert len(scene.entries("operation.cancelled")) == 1
        assert state["steps"][4]["note"].startswith("Cancelled: rehearsing the recovery.")
        [message] = [m for m in state["messages"] if m["slot"] == "step-5"]
        assert (message["tone"], message["body"]) == ("warning", state["steps"][4]["note"])
        assert scene.content() == before
        player.type("/restore plan")
        scene.until("a plan", lambda s: s["operation"] is None and scene.decisions("cutover"))


def answer_all(scene: Scene) -> None:
    """Answer the questions about rows that are gone as advised."""
    for decision in [d for d in scene.at_rest()["decisions"] if d["open"]]:
        advised = next(c["key"] for c in decision["choices"] if c["style"] == "primary")
        assert scene.api().answer(decision["id"], advised)["ok"]


def test_a_backup_that_is_looked_into_has_the_verdict_it_has_in_the_list(stages: Stages) -> None:
    """Each backup is judged alone as in the list, and the recommended one is still what a plan stands on."""
    with stages.at("safe") as scene:
        player = scene.player()
        listed = {b["path"]: b for b in scene.entries("backups.listed")[-1]["data"]["backups"]}
        assert sorted({b["word"] for b in listed.values()}) == ["REFUSED", "VERIFIED"]
        for path, line in listed.items():
            player.type(f"/backups inspect {path}")
            scene.at_rest()
            alone = scene.entries("backup.inspected")[-1]["data"]
            assert (alone["path"], alone["word"], alone["reasons"]) == (path, line["word"], line["reasons"])
        player.type("/restore plan")
        assert scene.at_rest()["steps"][4]["status"] == "running"
        assert [d for d in scene.decisions() if d["purpose"].startswith("missing:")]


def test_whoever_takes_the_call_closes_its_question(stages: Stages) -> None:
    """`/incident ack` ends the calls and the open question with them; nobody is asked for after that."""
    with stages.at("safe") as scene:
        scene.player().type("/incident escalate the foreign keys")
        scene.until("the call", lambda _: scene.decisions("acknowledge"))
        scene.player(APPROVER).type("/incident ack")
        scene.until("taken", lambda _: scene.entries("acknowledged"))
        assert scene.decisions("acknowledge") == []
        [question] = [d for d in scene.state()["decisions"] if d["purpose"] == "acknowledge"]
        assert question["void_reason"] == "Boris has it."
