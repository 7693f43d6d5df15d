"""Step 2 against real writers: nothing is cut over while something may still write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.site import faults
from tests.site.fixtures import production, production_template
from tests.site.production import Production, environment
from tests.site.scenario import INCIDENT, Stages, changed_settings, fresh_scene, stages_below

__all__ = ["production", "production_template"]


@pytest.fixture(scope="session")
def stages(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """An incident at known stages, put back for each test."""
    with stages_below(tmp_path_factory.getbasetemp(), production_template) as made:
        yield made


@contextmanager
def worker(site: Production) -> Iterator[subprocess.Popen[bytes]]:
    """A queue worker that really runs, as a supervisor would start it."""
    process = subprocess.Popen(
        ["php", "artisan", "queue:work", "--sleep=1"],
        cwd=site.app_path,
        env=environment(site),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_queue_worker_stands_against_the_freeze_until_it_is_stopped(
    production: Production, tmp_path: Path
) -> None:
    """A running worker is named and the freeze not proven; a person lets it be stopped, and then it is proven."""
    with fresh_scene(production, tmp_path / "bot") as scene, worker(production) as process:
        player = scene.player()
        player.type("/incident start album captions are gone")
        player.choose("assessed", "freeze")
        question = player.decision("writers", 40)
        assert "queue:work" in question["body"]
        assert str(process.pid) in question["body"]
        state = scene.at_rest()
        assert state["steps"][1]["status"] == "failed"
        refusal = player.api.command("/backups create", INCIDENT)
        assert (refusal["ok"], "freeze" in refusal["text"]) == (False, True)
        player.choose("writers", "stop")
        player.step(2)
        assert process.wait(timeout=10) is not None
        # First that it is down, then that a worker stands against the proof, then the proof.
        assert [e["data"]["proven"] for e in scene.entries("frozen")] == [False, False, True]


def test_a_writer_that_comes_later_stops_the_cut_over(stages: Stages) -> None:
    """A program that begins to write after the approval is found: nothing is cut over until it is gone and all is new."""
    with stages.at("planned") as scene:
        faults.writer(scene.site)
        try:
            scene.player().type("/restore confirm album")
            scene.until("the plan is void", lambda _: scene.entries("plan.void"))
            state = scene.at_rest()
            assert (state["cutover"], scene.jobs("write")) == ("none", [])
            [broken] = scene.entries("freeze.broken")
            assert Path(sys.executable).name in broken["text"] or "python" in broken["text"]
            refusal = scene.api().command("/restore confirm album", INCIDENT)
            assert not refusal["ok"]
            [question] = scene.decisions("writers")
            assert scene.api().answer(question["id"], "stop")["ok"]
            scene.until("frozen", lambda s: s["operation"] is None and s["steps"][1]["status"] == "done")
        finally:
            faults.clean_up(scene.site)


KNOWN, NEW = "Old\\Trouble at /srv/app/Known.php:7", "New\\Trouble at /srv/app/Fresh.php:9"


def record(at: str, kind: str) -> str:
    """Return an error as Laravel logs it, with a message that nobody may see."""
    name, _, place = kind.partition(" at ")
    head = f"[{at}] production.ERROR: hush-hush "
    return f'{head}{{"exception":"[object] ({name}(code: 0): hush-hush at {place})\n[stacktrace]\n#0 {{main}}\n"}} \n'


def test_only_errors_that_are_new_or_more_frequent_raise_an_alarm(stages: Stages) -> None:
    """After reopening, one error of a kind that came before the incident is no alarm; one of a new kind is, by its place."""
    with stages.at("safe") as scene, changed_settings(scene, "watch = 1.0", "watch = 30"):
        log = scene.site.app_path / "storage" / "logs" / "laravel.log"
        before = log.read_bytes() if log.exists() else b""
        log.write_text(record("2024-01-01 10:00:00", KNOWN) * 3)
        try:
            player = scene.player()
            player.type("/app reopen")
            player.choose("reopen", "reopen")
            scene.until("open again", lambda _: scene.entries("reopened"))
            with log.open("a") as more:
                more.write(record("2030-01-01 10:00:00", KNOWN) + record("2030-01-01 10:00:00", NEW))
            alarm = player.decision("watch", 30)
        finally:
            log.write_bytes(before)
        assert f"1 × {NEW} (not seen before the incident)" in alarm["body"]
        assert KNOWN not in alarm["body"]
        (seen,) = scene.entries("watch")
        assert (seen["data"]["kinds"], seen["data"]["rises"]) == ({KNOWN: 1, NEW: 1}, [NEW])
        assert "hush" not in str(scene.entries())
