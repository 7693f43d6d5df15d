"""A side schema as a place: what its sessions need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.host_reader.postgresql.names import quoted


@dataclass(frozen=True)
class Side:
    """A side schema: its name, the live schema that it stands for (and as SQL names that), and where extensions' objects are."""

    schema: str
    stands_for: str
    stands_for_sql: str
    extension_schemas: "tuple[str, ...]"

    @property
    def path(self) -> str:
        """Return the search path by which the application's names are found in it."""
        return ", ".join(quoted(name) for name in (self.schema, *self.extension_schemas))

    def told(self, definition: str) -> str:
        """Return a definition as the live schema would have it; no other text holds the side schema's random name."""
        plain, always_quoted = f"{self.schema}.", f"{quoted(self.schema)}."
        return definition.replace(plain, f"{self.stands_for_sql}.").replace(
            always_quoted, f"{self.stands_for_sql}."
        )
