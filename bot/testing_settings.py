"""The part of the settings that says how a site's application is tested: addresses, a browser, what people look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.model.app_test import Deed, SiteProbe, Walk, WalkStep, shown_address

Seconds = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Item = Annotated[str, Field(min_length=1)]

RUNBOOK_LIST = (
    "Home page loads",
    "Single entries are displayed correctly",
    "Uploads work",
    "Editing works",
    "No JavaScript console errors",
)
"""What the procedure by hand has a person look at, in words that fit any site."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProbeSettings(_Strict):
    """One address that is asked over HTTP, and what it has to answer. Redirects are not followed.

    It is told without a login and without the values behind its `?`, which may be secrets.

    `address` is a path of the site, or a whole address on any host. `contains` and `lacks` are texts of the page. `bypass` unset: the
    maintenance bypass is used for the site's own host alone, so that its secret goes nowhere else.
    """

    address: str
    status: int = Field(default=200, ge=100, le=599)
    contains: tuple[Text, ...] = ()
    lacks: tuple[Text, ...] = ()
    time_limit: Seconds = 10
    bypass: bool | None = None

    @field_validator("address")
    @classmethod
    def _path_or_address(cls, value: str) -> str:
        if value.startswith("/") and not value.startswith("//"):
            return value
        if value.startswith(("http://", "https://")) and urlsplit(value).hostname:
            return value
        raise ValueError(
            "must be a path that starts with /, or an address that starts with http:// or https://"
        )

    def probe(self, site_url: str) -> SiteProbe:
        """Return it as the model's probe of a site at that address."""
        url = site_url + self.address if self.address.startswith("/") else self.address
        there, here = urlsplit(url), urlsplit(site_url)
        own = there[:2] == here[:2]
        bypassed = own if self.bypass is None else self.bypass
        return SiteProbe(
            shown=shown_address(self.address),
            url=url,
            status=self.status,
            contains=self.contains,
            lacks=self.lacks,
            time_limit_s=self.time_limit,
            bypass_at=(site_url if own else f"{there.scheme}://{there.netloc}") if bypassed else None,
        )


class WalkStepSettings(_Strict):
    """One step in the browser: exactly one of `open` (a path), `click` (a CSS selector), `expect` (a text)."""

    open: Annotated[str, Field(pattern=r"^/([^/]|$)", max_length=1000)] | None = None
    click: Text | None = None
    expect: Text | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> WalkStepSettings:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("a step has one of: open, click, expect")
        return self

    def step(self) -> WalkStep:
        """Return it as the model's step."""
        [(deed, what)] = self.model_dump(exclude_none=True).items()
        return WalkStep(deed=Deed(deed), what=what)


class WalkSettings(_Strict):
    """The walk through a site in the browser: its first page, then the steps. Times in seconds."""

    start: Annotated[str, Field(pattern=r"^/([^/]|$)", max_length=1000)] = "/"
    steps: tuple[WalkStepSettings, ...] = ()
    time_limit: Seconds = 60
    step_limit: Seconds = 10

    def walk(self, site_url: str) -> Walk:
        """Return it as the model's walk through a site at that address."""
        first = WalkStep(deed=Deed.OPEN, what=self.start)
        return Walk(
            base_url=site_url,
            steps=(first, *(one.step() for one in self.steps)),
            time_limit_s=self.time_limit,
            step_limit_s=self.step_limit,
        )


class BrowserSettings(_Strict):
    """The browser on the bot's machine. `sandbox` false: it is started with --no-sandbox, as root has to."""

    program: Path = Path("/usr/bin/chromium")
    sandbox: bool = True
    start_limit: Seconds = 20
