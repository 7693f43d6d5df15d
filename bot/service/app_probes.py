"""The site's addresses, asked over HTTP and judged; before reopening behind the bypass, after it as any visitor."""

from __future__ import annotations

from bot.laravel.error_pages import ERROR_PAGES
from bot.model.app_test import JudgedProbe, SiteProbe, shown_address
from bot.model.secret import Secret
from bot.ports.probe import PageAsked, Probe
from bot.runbook.app_tests import judged_probe
from bot.settings import SiteSettings


def probes_of(settings: SiteSettings) -> tuple[SiteProbe, ...]:
    """Return the addresses of a site: its `smoke_paths`, but for those that a probe says more about, then its `probes`; never none."""
    named = {probe.address for probe in settings.probes}
    paths = settings.smoke_paths if settings.smoke_paths or settings.probes else ("/",)
    plain = [
        SiteProbe(shown=shown_address(path), url=settings.url + path, bypass_at=settings.url)
        for path in paths
        if path not in named
    ]
    return (*plain, *(one.probe(settings.url) for one in settings.probes))


async def asked_probes(
    probe: Probe, settings: SiteSettings, secret: Secret | None
) -> tuple[JudgedProbe, ...]:
    """Return what each address answers, judged; with a secret behind the maintenance bypass. Reads only."""
    asked = probes_of(settings)
    pages = [
        PageAsked(
            url=one.url,
            texts=(*one.contains, *one.lacks, *ERROR_PAGES),
            time_limit_s=one.time_limit_s,
            bypass_at=one.bypass_at,
        )
        for one in asked
    ]
    seen = await probe.visit(pages, secret)
    return tuple(
        judged_probe(
            one,
            is_down=secret is not None,
            status=page.status,
            duration_s=page.duration_s,
            found=page.found,
            failure=page.failure,
            error_pages=ERROR_PAGES,
        )
        for one, page in zip(asked, seen, strict=True)
    )
