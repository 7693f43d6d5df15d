"""Read a backup's bytes whatever program packed it; a damaged or cut one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from adapters.host_reader.answers import Refusal
from adapters.host_reader.opening import ProgramMissingError, content_blocks
from adapters.host_reader.sqlite_open import existing_file
from bot.dumps.compression import DamagedError


def unpacked(path: str) -> Iterator[bytes]:
    """Yield the content of a plain, gzip, bzip2, xz, zip or zstd file in blocks; reads only.

    *Raises* Refusal: not_found, unreadable (no `zstd` program here, several files in a zip), damaged (cut short, changed).
    """
    real = existing_file(path)
    try:
        yield from content_blocks(Path(real), "reading the backup")
    except OSError as error:
        raise Refusal(
            "unreadable", f"{path} cannot be read ({error.strerror}). Nothing was changed."
        ) from None
    except ProgramMissingError as error:
        raise Refusal("unreadable", f"{path} cannot be read: {error}. Nothing was changed.") from None
    except DamagedError as error:
        raise Refusal("damaged", f"{path} is damaged or cut short ({error}). Nothing was changed.") from None
