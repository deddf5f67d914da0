"""What one check of the doctor found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["ok", "note", "warn", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    mark: Mark
    what: str
    """What was checked, in a word or two."""
    found: str
    means: str = ""
    """What that means for the user, where it is not as it should be."""
    mend: str = ""
    """A command or a step that mends it."""
    data: Mapping[str, object] = field(default_factory=dict)
    """The same in numbers, for programs."""

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "mark": self.mark,
            "what": self.what,
            "found": self.found,
            "means": self.means,
            "mend": self.mend,
            "data": dict(self.data),
        }
