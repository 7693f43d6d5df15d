"""The section "Root Cause": a person's answer where there is one, and what the evidence says in any case."""

from __future__ import annotations

from bot.model.event import Kind
from bot.report.blocks import (
    Block,
    Bullets,
    Code,
    Paragraph,
    Phrase,
    Quote,
    Section,
    Strong,
    codes,
    marked,
    phrase,
)
from bot.report.facts import Facts
from bot.report.loss import assessment
from bot.report.people import answer_of
from bot.report.reading import Reading, read
from bot.report.wording import counted, key_words


def root_cause(facts: Facts) -> Section:
    """Return the root cause as a person gave it (or that it is still asked for), then the evidence."""
    answer = answer_of(facts.log, "root cause")
    blocks: list[Block] = []
    if answer is not None:
        blocks.append(Quote(text=answer.text, who=f"{answer.person}, {facts.zone.when(answer.at)}"))
    else:
        blocks.append(Paragraph(phrase=phrase(Strong("Root cause: asked, not answered yet."))))
    evidence = evidence_of(facts)
    if evidence:
        blocks.append(Bullets(title="What the evidence says", items=evidence))
    elif answer is None:
        blocks.append(Paragraph(phrase=phrase("The timeline holds no evidence of the cause.")))
    return Section(heading="Root Cause", blocks=tuple(blocks))


def evidence_of(facts: Facts) -> tuple[Phrase, ...]:
    """Return what speaks of the cause: the review of the bad migration, columns and tables lost, the mended version."""
    return (*_review(facts), *_columns(facts), *_tables(facts), *_mended(facts))


def findings_of_bad_migration(facts: Facts) -> tuple[Reading, ...]:
    """Return the review's findings on the migration that did the damage, as the assessment recorded them."""
    data = read(assessment(facts.log))
    return data.parts("findings") or data.part("review").parts("findings")


def finding_words(finding: Reading) -> str:
    """Return a finding of a migration review as text, with its file and line."""
    message = finding.text("message") or key_words(finding.text("code") or "a finding without words")
    place = finding_place(finding)
    return f"{message.rstrip('.')} ({place})" if place else message.rstrip(".")


def finding_place(finding: Reading) -> str:
    """Return where a finding is: `name.php:12`, or `line 12` where its file was not recorded."""
    line, name = finding.whole("line"), (finding.text("file") or "").rpartition("/")[2]
    if line is None:
        return name
    return f"{name}:{line}" if name else f"line {line}"


def _review(facts: Facts) -> list[Phrase]:
    data = read(assessment(facts.log))
    order = data.texts("statement_order") or data.part("review").texts("statement_order")
    found = [
        phrase("The review of the migration: ", marked(finding_words(item)), ".")
        for item in findings_of_bad_migration(facts)
    ]
    return [phrase("Order of its statements: ", " → ".join(order), "."), *found] if order else found


def _columns(facts: Facts) -> list[Phrase]:
    lost = [
        (f"{table.table}.{column.column}", column)
        for table in facts.loss.tables
        for column in table.columns
        if column.values_lost
    ]
    return [
        phrase(
            Code(name),
            f": {counted(column.values_lost, 'value')} gone",
            f" of {column.values_before:,}" if column.values_before is not None else None,
            f", column {key_words(column.status)}" if column.status else None,
            "; none of them was found in another column or table." if not column.values_moved else ".",
        )
        for name, column in lost
    ]


def _tables(facts: Facts) -> list[Phrase]:
    return [
        phrase(Code(table.table), f": {counted(table.missing, 'row')} missing after the migration.")
        for table in facts.loss.tables
        if table.missing
    ]


def _mended(facts: Facts) -> list[Phrase]:
    """Return what was deployed in place of the bad migration."""
    corrected = facts.recovery.corrected
    if corrected is None:
        return []
    commit = read(corrected).text("commit")
    proposed = next(
        (read(e) for e in facts.log.of(Kind.CORRECTED_PROPOSED) if read(e).text("commit") == commit),
        Reading(),
    )
    subject = proposed.text("subject")
    return [
        phrase(
            "The corrected migration ",
            codes(read(corrected).texts("migrations")),
            " came with commit ",
            Code(commit or "not recorded"),
            f" “{subject}”" if subject else None,
            ".",
        )
    ]
