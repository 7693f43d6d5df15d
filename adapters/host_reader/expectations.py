"""What one of the site's own checks is to give: a number compared with another, whatever the engine."""

from __future__ import annotations

import operator
import re
from typing import Callable, Dict, Tuple

from adapters.host_reader.answers import Refusal

_COMPARED = re.compile(r"\s*(<=|>=|!=|=|<|>)?\s*(-?[0-9]+)\s*")
_OPERATORS: Dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def read_expectation(expect: object) -> Tuple[Callable[[int, int], bool], int]:
    """Return how a check's value is compared, and with what: `expect` is a number or a text like "0", "> 0", ">= 100".

    *Raises* Refusal (bad_request).
    """
    found = None
    if isinstance(expect, (int, str)) and not isinstance(expect, bool):
        found = _COMPARED.fullmatch(str(expect))
    if found is None:
        raise Refusal(
            "bad_request", f"A check's expect must be like 0 or '>= 1', not {expect!r}. Nothing was run."
        )
    return _OPERATORS[found.group(1) or "="], int(found.group(2))
