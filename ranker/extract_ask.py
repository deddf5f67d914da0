"""What a model is asked of one notebook, and which answers are taken: prescriptions, never talk about a notebook."""

from __future__ import annotations

import hashlib
import re

from pydantic import BaseModel, ConfigDict

from models.answers import read_json
from models.base import BadAnswer, Data, Question
from ranker.extract_scores import Listed
from ranker.notebooks import ROOM, read_notebook, shown
from sandbox.elide import clean

LONGEST_PART = 2_000
"""Characters of one part of an instruction."""
HEADINGS = {"preprocessing": "Data preprocessing", "model": "Model architecture", "training": "Model training"}
"""Part -> its heading in the instruction, as in the instructions that the authors of Linguacodus published."""
_TALK = re.compile(
    r"\b(?:the|this|that|these|its|his|her|their)\s+"
    r"(?:(?:provided|given|above|following|original|same|whole|source|python|r|kaggle)\s+)*"
    r"(?:code|notebooks?|scripts?|snippets?|programmer|competitor|"
    r"authors?\s+(?:(?:also|then|first)\s+)?(?:uses|used|applies|applied|trains|trained|creates|defines|imports|does|did"
    r"|performs|builds|fits|loads|splits|chooses|tries|starts|sets|makes|has|is))\b",
    re.IGNORECASE,
)
"""The author of a text may be what a competition asks for; an author who does something is not."""
_OPENS = re.compile(r"[\s\W\d_]*(?:the|this|it|there|here|we|i|a|an)\b", re.IGNORECASE)
"""How a description opens; a prescription opens with what to do."""


class Extracted(BaseModel):
    """See prompts/extract.md.j2."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": False})

    preprocessing: str
    model: str
    training: str


def question(listed: Listed) -> Question[str]:
    """What is asked of a notebook. Its key changes with all that is shown, so that a changed one is asked anew.

    Raises: NotebookError.
    """
    source = shown(read_notebook(listed.path))
    digest = hashlib.sha256("\0".join([listed.file, listed.task, listed.data_type, listed.metric, source]).encode())
    name = re.sub(r"[^a-z0-9]+", "-", listed.file.lower()).strip("-")[:60]
    variables: dict[str, object] = {
        "task": Data(listed.task),
        "data_type": Data(listed.data_type, keep=100) if listed.data_type else "",
        "metric": Data(listed.metric, keep=200) if listed.metric else "",
        "notebook": Data(source, keep=ROOM * 5 // 4),
    }
    return Question(
        f"extract/{name}-{digest.hexdigest()[:12]}", "extract", "extract", variables, instruction, Extracted
    )


def instruction(answer: str) -> str:
    """The instruction in a model's answer: three parts under their headings.

    Raises: BadAnswer where a part says nothing or too much, or describes where it should prescribe.
    """
    found = read_json(answer, Extracted)
    parts = {name: plain(getattr(found, name)) for name in HEADINGS}
    for name, text in parts.items():
        if fault := _fault(text):
            raise BadAnswer(f"{name}: {fault}")
    return "\n\n".join(f"{heading}:\n{parts[name]}" for name, heading in HEADINGS.items())


def plain(text: str) -> str:
    """Text whose only ends of lines are line feeds, without control characters."""
    return "\n".join(line.rstrip() for line in clean(text).splitlines()).strip()


def _fault(text: str) -> str | None:
    if not any(letter.isalnum() for letter in text):
        return "it must say something; where nothing is done, prescribe that."
    if len(text) > LONGEST_PART:
        return f"it has {len(text):,} characters, at most {LONGEST_PART:,} are taken; say it much shorter."
    if talk := _TALK.search(text):
        return (
            f'it talks about "{talk[0]}"; tell an engineer what to do ("Impute ...", "Train ...") and name no source.'
        )
    if opening := _OPENS.match(text):
        return f'it describes ("{opening[0].strip()} ..."); begin with a verb that tells what to do, as "Train ...".'
    return None
