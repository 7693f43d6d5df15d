"""Bodies and answers against Discord's public OpenAPI description, read from beside the repository where it is there."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.fakes.common.book import Json

PLACE = Path(__file__).resolve().parents[4] / "shared" / "specs" / "discord-openapi.json"
ROOT = "urn:discord"
JSON_TYPE = "application/json"
FAULTS_SHOWN = 4
CHECKED_KEPT = 2000
# discord.py sends these with edits and overwrites too, where they mean nothing.
SENT_BY_LIBRARY = {"tts", "id"}


class Schema:
    """The description of every operation. `is_there` says whether it can be asked at all."""

    def __init__(self, place: Path = PLACE) -> None:
        self.is_there = place.is_file()
        self._place = place
        self._validators: dict[str, Any] = {}
        self._checked: dict[str, list[str]] = {}

    def warm(self) -> None:
        """Read the description now, so that no call has to wait for it."""
        if self.is_there:
            self._validator(str(self._pointer("create_message", "requestBody")))

    @cached_property
    def _whole(self) -> Json:
        return dict(json.loads(self._place.read_text()))

    @cached_property
    def _operations(self) -> dict[str, tuple[str, str]]:
        return {
            one["operationId"]: (path, method)
            for path, methods in self._whole["paths"].items()
            for method, one in methods.items()
            if method != "parameters"
        }

    @cached_property
    def _registry(self) -> Any:
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        return Registry().with_resource(ROOT, DRAFT202012.create_resource(self._whole))

    def _validator(self, pointer: str) -> Any:
        if pointer not in self._validators:
            from jsonschema import Draft202012Validator

            schema = {"$ref": f"{ROOT}#{pointer}"}
            self._validators[pointer] = Draft202012Validator(schema, registry=self._registry)
        return self._validators[pointer]

    def _pointer(self, operation: str, *steps: str) -> str | None:
        path, method = self._operations[operation]
        node: Any = self._whole["paths"][path][method]
        for one in steps:
            if one not in node:
                return None
            node = node[one]
        return "/paths/" + "/".join(escaped(one) for one in (path, method, *steps))

    def knows(self, operation: str) -> bool:
        return operation in self._operations

    def faults_of_body(self, operation: str, body: Any) -> list[str]:
        """Return what in the body of a call the description does not allow.

        The same words again cost nothing: two hundred presses at once have one answer, and their times are measured here.
        """
        key = f"{operation} {json.dumps(without_nonce(body), sort_keys=True)}"
        if key not in self._checked:
            if len(self._checked) >= CHECKED_KEPT:
                self._checked.clear()
            self._checked[key] = self._faults_of_body(operation, body)
        return self._checked[key]

    def _faults_of_body(self, operation: str, body: Any) -> list[str]:
        pointer = self._pointer(operation, "requestBody", "content", JSON_TYPE, "schema")
        if pointer is None:
            return [f"{operation} takes no body"] if body not in (None, {}) else []
        meant = with_right_kinds(body)
        return [*self._faults(pointer, meant), *self._unknown_keys(pointer, meant)]

    def faults_of_answer(self, operation: str, status: int, answer: Any) -> list[str]:
        """Return what in the stand-in's own answer is not as Discord describes it."""
        pointer = self._pointer(operation, "responses", str(status))
        if pointer is None:
            return [f"{operation} does not answer with {status}"]
        content = self._pointer(operation, "responses", str(status), "content", JSON_TYPE, "schema")
        return self._faults(content, answer) if content else []

    def _faults(self, pointer: str, value: Any) -> list[str]:
        return [
            f"{'/'.join(map(str, deepest.absolute_path)) or 'body'}: {deepest.message[:300]}"
            for error in self._validator(pointer).iter_errors(value)
            for deepest in [best_of(error)]
        ][:FAULTS_SHOWN]

    def _unknown_keys(self, pointer: str, body: Any) -> Iterator[str]:
        """The description lets unknown keys pass; Discord ignores them, so that what was meant does not happen."""
        if isinstance(body, dict):
            known = set(self._properties({"$ref": f"#{pointer}"}))
            odd = [one for one in body if known and one not in known | SENT_BY_LIBRARY]
            yield from (f"{one}: there is no such key" for one in odd)

    def _properties(self, schema: Json) -> Iterator[str]:
        if "$ref" in schema:
            node: Any = self._whole
            for one in schema["$ref"].removeprefix("#/").split("/"):
                node = node[unquote(one).replace("~1", "/").replace("~0", "~")]
            yield from self._properties(node)
        yield from schema.get("properties", {})
        for word in ("allOf", "oneOf", "anyOf"):
            for one in schema.get(word, ()):
                yield from self._properties(one)


def without_nonce(body: Any) -> Any:
    """Return a body without the number that is another one each time; a wrong one stays, to be found."""
    if isinstance(body, dict) and len(str(body.get("nonce", ""))) <= 25:
        return {key: type(value).__name__ if key == "nonce" else value for key, value in body.items()}
    return body


def escaped(step: str) -> str:
    """Return a step of a JSON pointer, within a URI."""
    return step.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def best_of(error: Any) -> Any:
    """Return the fault deep in the alternatives that says most."""
    from jsonschema.exceptions import best_match

    return best_match([error]) if error.context else error


def with_right_kinds(body: Any) -> Any:
    """Return the body with strings and integers as the description has them: Discord itself takes either."""
    if not isinstance(body, dict):
        return body
    meant = copy.deepcopy(body)
    for place in (meant, meant.get("data")):
        if isinstance(place, dict):
            _right_message(place)
    if isinstance(meant.get("recipient_id"), int):
        meant["recipient_id"] = str(meant["recipient_id"])
    if isinstance(meant.get("messages"), list):
        meant["messages"] = [str(one) for one in meant["messages"]]
    for place in (meant, *_dicts(meant.get("permission_overwrites"))):
        _right_overwrite(place)
    return meant


def _right_message(message: Json) -> None:
    mentions = message.get("allowed_mentions")
    for key in ("users", "roles"):
        if isinstance(mentions, dict) and isinstance(mentions.get(key), list):
            mentions[key] = [str(one) for one in mentions[key]]
    for one in _dicts(message.get("attachments")):
        if isinstance(one.get("id"), int):
            one["id"] = str(one["id"])
    reference = message.get("message_reference")
    for key in ("message_id", "channel_id", "guild_id"):
        if isinstance(reference, dict) and isinstance(reference.get(key), int):
            reference[key] = str(reference[key])


def _right_overwrite(place: Json) -> None:
    for key in ("allow", "deny"):
        if isinstance(place.get(key), str) and place[key].isdigit():
            place[key] = int(place[key])
    for key in ("id", "parent_id"):
        if isinstance(place.get(key), int):
            place[key] = str(place[key])


def _dicts(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
