"""What the README and the guides name is there: files, slash commands, and the words of the command line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from bot.__main__ import app
from commands.catalog import CATALOGUE

REPOSITORY = Path(__file__).resolve().parents[3]
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "deploy").rglob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    """Each relative link and picture is a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_slash_command_is_in_the_catalogue(document: Path) -> None:
    """No document tells a person to type a command that Backout does not know."""
    typed = re.findall(r"/(?:incident|backups|restore|app) [a-z]+", document.read_text(encoding="utf-8"))
    assert set(typed) - {command.name for command in CATALOGUE} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_backout_command_is_there(document: Path) -> None:
    """Whatever stands in a document as `backout WORD` is a subcommand."""
    known = set(getattr(get_command(app), "commands", {}))
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^ {4})backout ([a-z]+)", text, re.MULTILINE)
    assert set(named) - known == set()
