"""A letter as the bytes of an e-mail: nothing in it can become another header, and every character arrives."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from bot.ports.mail import Letter

SUBJECT_LETTERS = 150
NAME_LETTERS = 60


def letter_bytes(letter: Letter, *, sender: str, sender_name: str, at: datetime) -> bytes:
    """Return the e-mail in seven bits (RFC 5322, RFC 2047), so that every server takes it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _mailbox(sender_name, sender)
    message["To"] = _mailbox(letter.name, letter.address)
    message["Subject"] = _line(letter.subject, SUBJECT_LETTERS)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(letter, sender)
    message["Auto-Submitted"] = "auto-generated"  # so that no absence notice answers (RFC 3834)
    message["Importance"] = "high"
    message.set_content(letter.body, cte="quoted-printable")
    return message.as_bytes()


def message_id(letter: Letter, sender: str) -> str:
    """Return the Message-ID: the same for the same letter, so that whoever has it twice sees it once."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in letter.key)
    return f"<backout.{plain}@{sender.rpartition('@')[2]}>"


def _mailbox(name: str, address: str) -> Address:
    return Address(display_name=_line(name, NAME_LETTERS), addr_spec=address)


def _line(text: str, letters: int) -> str:
    """Return a text as one line of that many letters at most; line breaks and what does not print are gone."""
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return line if len(line) <= letters else f"{line[: letters - 1]}…"
