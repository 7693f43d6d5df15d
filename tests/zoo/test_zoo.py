"""Every specimen of the zoo gets its word."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.host_reader.inspect import inspect
from tests.zoo.make import REFUSED, VERIFIED, Specimen, make_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Specimen]]:
    folder = tmp_path_factory.mktemp("zoo")
    return folder, make_zoo(folder)


def test_every_backup_gets_its_word(zoo: tuple[Path, list[Specimen]]) -> None:
    """No broken backup is VERIFIED, no good one is refused, and each gets exactly the word it must get."""
    folder, specimens = zoo

    wrong = {
        specimen.name: (specimen.word, answer["verdict"])
        for specimen in specimens
        for answer in [inspect(specimen.request(folder))]
        if answer["verdict"]["word"] != specimen.word
    }

    assert wrong == {}
    assert {REFUSED, VERIFIED} < {specimen.word for specimen in specimens}
    assert len(specimens) > 300


def test_a_cut_at_every_statement_of_the_dump_is_among_them(zoo: tuple[Path, list[Specimen]]) -> None:
    """The zoo holds the cuts behind each of the dump's 90 and more statements."""
    _, specimens = zoo

    assert sum(specimen.name.startswith("cut-at-") for specimen in specimens) > 180
