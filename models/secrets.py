"""Keys stay in the environment: what of it must be in no prompt, no record and no message."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

SHORTEST = 8
"""A shorter value is no key, and would blank common words."""
HIDDEN = "[secret]"
_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|PASS$|_PWD$|CREDENTIAL|AUTH", re.IGNORECASE)
_LOOKS = re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}\b|\bBearer\s+[A-Za-z0-9._~+/-]{16,}=*", re.IGNORECASE)
"""Keys as providers write them, also those that an error message quotes in part."""


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """`text` without the values of variables that are named like secrets, and without what looks like a key."""
    for value in _secrets(os.environ if environment is None else environment):
        text = text.replace(value, HIDDEN)
    return _LOOKS.sub(HIDDEN, text)


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """The longest first, so that one that is part of another does not leave the rest of it."""
    found = {value.strip() for name, value in environment.items() if _NAMES.search(name)}
    return sorted((value for value in found if len(value) >= SHORTEST), key=len, reverse=True)
