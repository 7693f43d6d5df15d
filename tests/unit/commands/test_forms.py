"""What a platform with fields sends is the line that a person would have typed: read back, it is the same command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.command import Completion, typed_line
from commands.arguments import Parsed, parse
from commands.catalog import CATALOGUE, forms

WORDS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30
)


def test_every_command_has_its_form() -> None:
    """Names, order and what is required are the catalogue's; each argument says what belongs there."""
    assert [f"{form.word} {form.sub}" for form in forms()] == [command.name for command in CATALOGUE]
    for form in forms():
        fields = [argument.field for argument in form.arguments]
        assert len(fields) == len(set(fields))
        assert all(field.isidentifier() and field == field.lower() for field in fields)
        assert all(argument.hint for argument in form.arguments)


def test_sites_backups_and_decisions_are_completed() -> None:
    """Each is offered where it is asked for."""
    offered = {
        argument.completes
        for form in forms()
        for argument in form.arguments
        if argument.completes is not None
    }
    assert offered == set(Completion)


@given(st.data())
def test_what_is_filled_in_is_what_is_read(data: st.DataObject) -> None:
    """Quotes, spaces and dashes of a value survive the line; a text of one's own does as well, unless it begins with an option."""
    form = data.draw(st.sampled_from([one for one in forms() if one.arguments]))
    values: dict[str, object] = {}
    for argument in form.arguments:
        if argument.flag:
            values[argument.field] = data.draw(st.booleans())
        elif argument.required or data.draw(st.booleans()):
            words = st.sampled_from(argument.choices) if argument.choices else WORDS
            text = data.draw(words).strip() or "x"
            own = argument.rest and text.startswith("-")
            values[argument.field] = f"x{text}" if own else text
    earlier_left_out = False
    for (
        argument
    ) in form.arguments:  # words are read by their order: nothing stands behind one that is left out
        if argument.flag or argument.name.startswith("--"):
            continue
        if earlier_left_out:
            values.pop(argument.field, None)
        earlier_left_out = earlier_left_out or argument.field not in values
    parsed = parse(typed_line(form, values), CATALOGUE)
    assert isinstance(parsed, Parsed), parsed
    for argument in form.arguments:
        given_value = values.get(argument.field)
        if argument.name == "--site":
            assert parsed.site == given_value
        elif argument.flag:
            assert (argument.name in parsed.values) == bool(given_value)
        else:
            assert parsed.values.get(argument.name) == given_value


@pytest.mark.parametrize("form", forms(), ids=lambda form: f"{form.word} {form.sub}")
def test_nothing_filled_in_is_the_bare_command(form: object) -> None:
    """Options that were left empty add nothing."""
    assert typed_line(form, {}) == f"{form.word} {form.sub}"  # type: ignore[arg-type, attr-defined] # a form of the list
