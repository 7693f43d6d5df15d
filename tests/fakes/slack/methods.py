"""All methods of the Web API that the stand-in knows."""

from __future__ import annotations

from tests.fakes.slack import (
    methods_chat,
    methods_conversations,
    methods_files,
    methods_marks,
    methods_people,
    methods_views,
)
from tests.fakes.slack.method import METHODS_BY_KIND, Method

METHODS: dict[str, Method] = {
    **methods_chat.METHODS,
    **methods_conversations.METHODS,
    **methods_files.METHODS,
    **methods_marks.METHODS,
    **methods_people.METHODS,
    **methods_views.METHODS,
}
METHODS_BY_KIND.update({name: one.by_kind for name, one in METHODS.items() if one.by_kind})
