"""The part of the settings that says whom to call and how: contacts, the mail server, paging services."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.model.person import Contact, Hosting

Seconds = Annotated[float, Field(gt=0)]
# One plain address: with anything more in it a mail could be led to somebody else, or a header be put in.
Address = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")
]
# Also the name of the environment variable that holds its key.
PagerName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]

SMTP_PASSWORD = "BACKOUT_SMTP_PASSWORD"  # noqa: S105 - the name of the variable, not a password
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_PAGER_URLS = {
    "pagerduty": "https://events.pagerduty.com/v2/enqueue",
    "opsgenie": "https://api.opsgenie.com/v2/alerts",
}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def pager_variable(name: str) -> str:
    """Return the name of the environment variable that holds the key of a pager."""
    return f"BACKOUT_PAGER_{name.upper().replace('-', '_')}"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SmtpSettings(_Strict):
    """The mail server. The password is not here: it comes from BACKOUT_SMTP_PASSWORD alone.

    `security` is `starttls`, `tls` or `none`; `port` follows from it where it is left out. `ca_file` holds the
    certificates that are trusted beside the machine's own.
    """

    host: str
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    sender: Address
    sender_name: str = "Backout"
    ca_file: Path | None = None
    time_limit: Seconds = 20

    @property
    def real_port(self) -> int:
        """Return the port, the usual one where none is named."""
        return self.port or _PORTS[self.security]

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> SmtpSettings:
        if self.security == "none" and self.user is not None and self.host not in _LOOPBACK:
            raise ValueError(
                "with security = none a password would go over the network unencrypted: take starttls or tls, or leave user out"
            )
        return self


class PagerSettings(_Strict):
    """One integration of a paging service. Its key is not here: it comes from BACKOUT_PAGER_ and the name alone.

    `form` is what is sent: PagerDuty's Events API v2, Opsgenie's Alert API, or plain JSON. `url` is the address that
    takes it; of PagerDuty and Opsgenie it is known (another one: their European one, or one that speaks the same form).
    """

    form: Literal["pagerduty", "opsgenie", "json"]
    url: str | None = None
    ca_file: Path | None = None
    time_limit: Seconds = 15

    @property
    def real_url(self) -> str:
        """Return the address that takes the signals, the service's own where none is named."""
        return self.url or _PAGER_URLS.get(self.form, "")

    @model_validator(mode="after")
    def _reachable(self) -> PagerSettings:
        if not self.real_url:
            raise ValueError("form = json needs the url that takes the signals")
        try:
            parts = urlsplit(self.real_url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
            raise ValueError("url must start with https://, and end with the path")
        if parts.scheme == "http" and host not in _LOOPBACK:
            raise ValueError("url must start with https://: the key would go over the network unencrypted")
        if parts.username or parts.password:
            raise ValueError("url must hold no login: the key comes from the environment alone")
        return self


class ContactSettings(_Strict):
    """Someone to call. `person` names one of the people who can acknowledge, `pagers` what rings with each call.

    `calls` is how often this one is called before it is the next one's turn; `page_again` the seconds between two calls
    of this one, the site's interval where it is left out.
    """

    name: str
    role: str = "Database Administrator"
    person: str | None = None
    phone: str | None = None
    email: Address | None = None
    handle: str | None = None
    note: str | None = None
    pagers: tuple[PagerName, ...] = ()
    calls: int = Field(default=2, ge=1, le=20)
    page_again: Seconds | None = None

    def contact(self) -> Contact:
        """Return it as the model's contact."""
        return Contact(**self.model_dump())


class HostingSettings(_Strict):
    """Where help is had from the hosting provider: what the procedure wants at hand."""

    name: str | None = None
    phone: str | None = None
    account_id: str | None = None
    ticket_url: str | None = None
    note: str | None = None

    @field_validator("ticket_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value

    def hosting(self) -> Hosting:
        """Return it as the model's hosting."""
        return Hosting(**self.model_dump())
