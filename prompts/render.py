"""Renders the Jinja files of this folder. An unknown or a missing variable is an error, never an empty string."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent


@cache
def environment() -> Environment:
    """The one Jinja environment: plain text, nothing escaped, undefined variables raise."""
    return Environment(
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )


def render(name: str, **variables: object) -> str:
    """The text of `prompts/<name>.md.j2` with `variables` filled in.

    Raises: jinja2.UndefinedError for a variable that was not given, jinja2.TemplateNotFound.
    """
    return environment().get_template(f"{name}.md.j2").render(**variables)


@cache
def digest(name: str) -> str:
    """The first digits of the sha256 of a template's text, so that a record tells with which words it was made."""
    return hashlib.sha256((FOLDER / f"{name}.md.j2").read_bytes()).hexdigest()[:12]
