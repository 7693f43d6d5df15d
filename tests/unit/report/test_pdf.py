"""The PDF holds what the other forms hold, in characters that its fonts have, and says what it had to replace."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest

from bot.model.event import Kind
from bot.report.fonts import Fonts
from bot.report.pdf import to_pdf
from bot.report.report import report_of
from tests.unit.report.timelines import MIGRATION, SAFETY, Row, at, entries_of, host_command, story

DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
FONTS = Fonts(
    text=str(DEJAVU / "DejaVuSans.ttf"),
    bold=str(DEJAVU / "DejaVuSans-Bold.ttf"),
    code=str(DEJAVU / "DejaVuSansMono.ttf"),
)
CJK = "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"


def _note(text: str) -> Row:
    return (92.0, Kind.NOTE, "Zoë", text, {})


def _pdf(*rows: Row, fonts: Fonts = FONTS) -> pypdfium2.PdfDocument:
    entries = entries_of(sorted([*story(), *rows], key=lambda row: row[0]))
    return pypdfium2.PdfDocument(to_pdf(report_of(entries, site="shop", now=at(95)), fonts))


def _text(document: pypdfium2.PdfDocument) -> str:
    """Return all text of a document, without the breaks of lines and sheets."""
    sheets = (document[number].get_textpage().get_text_range() for number in range(len(document)))
    return " ".join("".join(sheets).split())


def test_it_holds_every_section_and_the_picture() -> None:
    """Headings, figures, tables and the picture's labels are text in it, and each sheet has its number."""
    document = _pdf()
    text = _text(document)
    for heading in ("What Happened", "Impact", "Root Cause", "Resolution", "Prevention", "Timeline"):
        assert heading in text
    for words in (MIGRATION, SAFETY, "1,204 rows", "Until it was noticed", "back online", "Mira Lindqvist"):
        assert words in text
    assert f"Migration Incident - 2025-11-26 - {len(document)}" in text
    assert "no font" not in text


def test_what_no_font_has_stands_as_its_code_and_is_told() -> None:
    """A character without a sign in the fonts is never an empty box: its code stands there, and the end says so."""
    text = _text(_pdf(_note("rocket 🚀 and 写")))
    assert "rocket [U+1F680] and [U+5199]" in text
    assert "2 characters that no font of this PDF has stand here as their codes" in text


def test_emoji_and_cjk_are_held_where_a_font_has_them() -> None:
    """Further fonts are asked for what the first ones lack; signs that only join others are left out."""
    fonts = Fonts(text=FONTS.text, bold=FONTS.bold, code=FONTS.code, more=("/etc/hostname", CJK))
    text = _text(_pdf(_note("写真の説明 is gone 😀\ufe0f żółć")))
    assert "[U+5199]" in text
    text = _text(_pdf(_note("写真の説明 is gone 😀\ufe0f żółć"), fonts=fonts))
    assert "写真の説明 is gone 😀 żółć" in text
    assert "no font" not in text


def test_without_any_font_it_is_still_written() -> None:
    """On a machine without font files the readers' own are used; typographic signs become plain ones."""
    text = _text(_pdf(_note("the “caption” … żółć"), fonts=Fonts()))
    assert 'the "caption" ... [U+017C]ó[U+0142][U+0107]' in text
    assert "[x]" in text or "[ ]" in text


@pytest.mark.parametrize("command", ["php artisan " + "x" * 900, "y" * 40_000, "a b " * 300])
def test_long_commands_fit(command: str) -> None:
    """A row of the appendix never runs over the foot of its sheet; what is cut off is told."""
    document = _pdf(*(host_command(50 + n / 100, "Ana Ruiz", command, 0, 1.0) for n in range(3)))
    text = _text(document)
    assert ("more letters: in the other forms of this report" in text) == (len(command) > 1500)
    assert f" - {len(document)}" in text


@pytest.mark.parametrize("text", ["写" * 1500, "写真の説明 " * 250])
def test_wide_letters_fit(text: str) -> None:
    """What has fewer letters, but too many lines for a sheet in its column, is cut off and told as well."""
    fonts = Fonts(text=FONTS.text, bold=FONTS.bold, code=FONTS.code, more=(CJK,))
    document = _pdf(host_command(50, text, text, 0, 1.0), (92.0, Kind.NOTE, text, text, {}), fonts=fonts)
    assert "more letters: in the other forms of this report" in _text(document)


def test_names_are_text_whatever_they_hold() -> None:
    """Markup, control characters and marks that turn the direction do nothing."""
    text = _text(_pdf(_note("<b>**bold**</b> a\x00b \u202eevil [link](http://x)")))
    assert "<b>**bold**</b> a" in text
    assert "[link](http://x)" in text
