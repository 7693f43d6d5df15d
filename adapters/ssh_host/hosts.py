"""The hosts of all sites, each behind one connection."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapters.ssh_host.host import ShellHost
from adapters.ssh_host.settings import HostSettings
from adapters.ssh_host.ssh_link import SshLink


class SshHosts:
    """One host for each account at an address: sites that share it share its connection.

    `reader_path` is the packed row reader on the bot's side, `reader_sha256` its checksum.
    """

    def __init__(
        self, settings_of_site: Mapping[str, HostSettings], reader_path: Path, reader_sha256: str
    ) -> None:
        self._settings_of_site = dict(settings_of_site)
        self._hosts = {
            _account(settings): ShellHost(settings, SshLink(settings), reader_path, reader_sha256)
            for settings in self._settings_of_site.values()
        }

    def of_site(self, site: str) -> ShellHost:
        """Return the host of a site by the site's name. *Raises* KeyError for an unknown site."""
        return self._hosts[_account(self._settings_of_site[site])]

    async def close(self) -> None:
        """Close every connection; detached jobs run on."""
        for host in self._hosts.values():
            await host.close()


def _account(settings: HostSettings) -> tuple[str, int, str, HostSettings | None]:
    return settings.address, settings.port, settings.user, settings.jump
