"""Who can give the yeses that a question needs; where they are too few, that is said in the question itself."""

from __future__ import annotations

from bot.service.parts import Parts


def too_few_words(parts: Parts, site: str, needed: int) -> str:
    """Return a sentence that says that nobody can give the yeses, and what helps; empty where enough people may approve."""
    names = [person.name for person in parts.settings.people if person.may_approve and site in person.sites]
    if len(names) >= needed:
        return ""
    who = f"only {', '.join(names)} may" if names else "nobody may"
    return (
        f" **But {who} approve on {site}, and {needed} have to**: add a person with `may_approve` to the settings, and restart "
        "Backout; this question stays as it is until it expires."
    )
