"""Opening a connection to a host, through its jump hosts, to the pinned key only; and the words when that fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import asyncssh

from adapters.ssh_host.settings import HostSettings
from bot.model.errors import HostKeyChangedError, NotStartedError

# Three unanswered questions: with the default interval of 5 s a dead link is known after 15 to 20 s.
_KEEPALIVE_COUNT = 3
_GOODBYE_S = 1


@dataclass(frozen=True, kw_only=True)
class Dialled:
    """An open connection and the jump connections that carry it, outermost first."""

    connection: asyncssh.SSHClientConnection
    jumps: tuple[asyncssh.SSHClientConnection, ...]

    def is_open(self) -> bool:
        """Return whether the connection is not known to be lost."""
        return not self.connection.is_closed()

    async def close(self) -> None:
        """Close the connection and its jumps; a dead network that does not take the goodbye is not waited for."""
        for connection in (self.connection, *reversed(self.jumps)):
            connection.close()
            try:
                async with asyncio.timeout(_GOODBYE_S):
                    await connection.wait_closed()
            except TimeoutError:
                connection.abort()


class _KeyWitness(asyncssh.SSHClient):
    """Remembers the key that a host showed when it is not the pinned one; trusts none by itself."""

    def __init__(self) -> None:
        self.shown: str | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Return False, always: a key that is not in the known-hosts file is refused."""
        del host, addr, port
        self.shown = key.get_fingerprint()
        return False


async def dial(settings: HostSettings) -> Dialled:
    """Return an open connection to the host, through its jump host where it has one.

    *Raises* NotStartedError when it is not reached in time or refuses the login, HostKeyChangedError when it shows a
    key that is not in the known-hosts file; in both cases no command was sent.
    """
    if settings.jump is None:
        return Dialled(connection=await _dial_one(settings, None), jumps=())
    jump = await dial(settings.jump)
    try:
        connection = await _dial_one(settings, jump.connection)
    except BaseException:
        await jump.close()
        raise
    return Dialled(connection=connection, jumps=(*jump.jumps, jump.connection))


async def _dial_one(
    settings: HostSettings, tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    known_hosts = _read_known_hosts(settings)
    witness = _KeyWitness()
    try:
        async with asyncio.timeout(settings.connect_timeout.total_seconds()):
            return await asyncssh.connect(
                settings.address,
                settings.port,
                tunnel=tunnel or (),
                username=settings.user,
                known_hosts=known_hosts,
                client_factory=lambda: witness,
                config=None,  # the settings of Backout alone decide, not those of the account it runs under
                preferred_auth="publickey",
                x509_trusted_certs=None,
                keepalive_interval=settings.keepalive_interval.total_seconds(),
                keepalive_count_max=_KEEPALIVE_COUNT,
                **_own_key(settings),
            )
    except asyncssh.HostKeyNotVerifiable as cause:
        raise _host_key_changed(settings, known_hosts, witness.shown) from cause
    except asyncssh.PermissionDenied as cause:
        raise NotStartedError(
            f"{settings.place} refused the login of {settings.user}; nothing was run. Check that the public key of "
            f"{settings.key_path or 'the agent'} is in that account's authorized_keys."
        ) from cause
    except TimeoutError as cause:
        raise NotStartedError(
            f"{settings.place} did not answer within {settings.connect_timeout.total_seconds():g} s; nothing was run. "
            "Check that the host is up, the network and the firewall."
        ) from cause
    except (OSError, asyncssh.Error, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as cause:
        raise NotStartedError(
            f"{settings.place} could not be reached as {settings.user}: {cause}. Nothing was run. Check address, port, "
            "key file and that sshd is running there."
        ) from cause


def _own_key(settings: HostSettings) -> dict[str, object]:
    if settings.key_path is None:
        return {}
    return {"client_keys": [str(settings.key_path)], "agent_path": None}


def _read_known_hosts(settings: HostSettings) -> asyncssh.SSHKnownHosts:
    """Return the pinned keys; a missing file is refused here, as the library would look at another one instead."""
    try:
        return asyncssh.read_known_hosts(str(settings.known_hosts_path))
    except (OSError, ValueError) as cause:
        raise NotStartedError(
            f"The known-hosts file {settings.known_hosts_path} for {settings.place} cannot be used: {cause}. Nothing "
            "was sent. Put the host's key there, from a source you trust."
        ) from cause


def _host_key_changed(
    settings: HostSettings, known_hosts: asyncssh.SSHKnownHosts, shown: str | None
) -> HostKeyChangedError:
    pinned = known_hosts.match(settings.address, "", settings.port)[0]
    expected = ", ".join(key.get_fingerprint() for key in pinned) or "no key at all for this address"
    return HostKeyChangedError(
        f"{settings.place} showed the host key {shown or 'of an unknown kind'}, but {settings.known_hosts_path} has "
        f"{expected}. Nothing was sent to it. It may be another machine, or the server was set up anew: ask whoever "
        "runs it, and change the file only when they confirm the new key."
    )
