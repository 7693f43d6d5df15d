"""What may have gone wrong, told apart by one question: what may have happened on the host?"""

from __future__ import annotations


class BackoutError(Exception):
    """An expected failure with a message for the person: what failed, where, what was changed, what to do next."""


class NotStartedError(BackoutError):
    """Nothing ran: the host was not reached, or refused before anything started. Safe to repeat."""


class FailedError(BackoutError):
    """It ran and said no: the remote program ended with an exit status other than 0, or its answer is damaged."""


class UnknownOutcomeError(BackoutError):
    """Cannot tell whether it ran to its end: the link was cut, or a time limit passed. Look; never repeat blindly."""


class HostKeyChangedError(NotStartedError):
    """The host answered with a key that is not the one in the settings: nothing was sent to it."""


class StoppedBeforeError(NotStartedError):
    """The host was told to stop this job before its start arrived, and has refused to start it: it never ran."""


class HostBusyError(NotStartedError):
    """Another job changes this site on the host; ours was not started.

    `holder` is the key of the job that holds the site.
    """

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class ReaderRefusalError(FailedError):
    """The row reader on the host said no, with a reason for the person.

    `kind` is the reader's own word for it (`not_found`, `no_space`, `changed` …), or `no_python` where the host has
    no Python that can run it. `reason` is what the reader said itself, without naming the work and the host.
    """

    def __init__(self, message: str, kind: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason or message


class RollbackFailedError(FailedError):
    """A migration could not be rolled back on a copy; production was not changed, and a way without a rollback is left."""


class JobDiedError(FailedError):
    """A job on the host is gone without an exit status. What it did must be looked up; it is never repeated by itself."""


class StoreUnavailableError(BackoutError):
    """Backout's own database cannot be reached or written. Not an OSError: a step's own OSError is a failed step."""


class LeaseLostError(BackoutError):
    """Another process owns the operation now; this one must stop and write nothing."""


class SettingsError(BackoutError):
    """The settings file is missing, unreadable or wrong; the message names the file, the key and the remedy."""


class ProbeError(NotStartedError):
    """The web front of a site did not answer an HTTP request at all (refused, no DNS name, time-out)."""


class BrowserError(NotStartedError):
    """The browser on the bot's machine is missing, did not start, died, or was not done in time; the site's data are as they were."""


class ChatLaterError(NotStartedError):
    """A chat platform did not take a message now: it is unreachable, or asks to wait. `after_s` is how long it asks for."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class ChatClosedError(NotStartedError):
    """A chat platform takes nothing from Backout any more, until a person changes that: a revoked token, a missing right."""


class CallLaterError(NotStartedError):
    """A mail server or a paging service did not take a call now, and may be asked again. `after_s` is how long it asks to wait."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class RoomLostError(FailedError):
    """The incident's channel is gone, archived or closed to Backout: a person did that, or the platform."""


class HalfShownError(FailedError):
    """A chat platform shows the message, but refused its file. `external_id` is the platform's own id of the message."""

    def __init__(self, message: str, external_id: str) -> None:
        super().__init__(message)
        self.external_id = external_id
