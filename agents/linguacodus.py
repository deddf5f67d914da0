"""Instructions as the paper Linguacodus makes them (arXiv 2403.11585, phase A): `--preset linguacodus`.

Three candidates by three places, with the words that a fine-tuned writer is trained with (ranker/sft_prompt.py); a
researcher lists their flaws, a resolver sees that list alone and prints the best one, improved, in full. Nobody is
shown a column or a file here, as in the paper. Left open there and chosen here: a candidate without an answer is left
out, and where the two reviewers do not answer the first candidate stands as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.brief import DESCRIPTION_CHARACTERS, Brief
from agents.modules import IN_MODULES
from agents.propose import LLM
from models.answers import spoken
from models.base import BadAnswer, Data, Mind, NoAnswer, Question
from models.secrets import redact
from ranker.sft_prompt import messages, place_word
from recipes.base import Instruction
from sandbox.elide import clean, elide

PLACES = (1, 2, 3)
"""A candidate is asked for each of these places."""
LONGEST_INSTRUCTION = 6_000
"""Characters of an instruction; a longer one is cut in the middle."""
LONGEST_REVIEW = 12_000
"""Characters of the researcher's answer that the resolver is shown."""
PLACE_TOKENS = 4_000
"""Length of an answer that is one instruction, thinking included."""
TEMPERATURE = 0.7
"""Of the candidates, as in the paper."""
ABOVE = "as said above"
"""Stands in the parts of an instruction that its one text covers."""


def place_instructions(mind: Mind, brief: Brief) -> list[Instruction]:
    """The candidates of the places that a model answered for, the first place first.

    Raises: ReplayDiffers.
    """
    found: list[Instruction] = []
    for rank in PLACES:
        try:
            text = _candidate(mind, brief, rank)
        except NoAnswer:
            continue  # the gate has said so
        found.append(_whole(f"place-{rank}", f"{place_word(rank)} place instruction", text))
    return found


def refined(mind: Mind, brief: Brief, candidates: Sequence[Instruction]) -> list[Instruction]:
    """One instruction of all candidates: the resolver's, or the first where there is no answer; [] of none.

    Raises: ReplayDiffers.
    """
    if not candidates:
        return []
    try:
        text = _resolved(mind, brief, _flaws(mind, brief, candidates))
    except NoAnswer:
        return [candidates[0]]
    return [_whole("resolved", "best place instruction, improved", text)]


def _candidate(mind: Mind, brief: Brief, rank: int) -> str:
    """The answer for one place; the question is word for word the one of training (`conversation`).

    Each may take the time of our one question to this role: a local writer is slow, and one attempt leaves room.
    """
    [turn] = messages(_task_text(brief), brief.profile.description.modality, brief.task.metric, rank)
    key, variables = f"propose/{place_word(rank)}", {"request": turn["content"]}
    question = Question(
        key,
        "propose",
        "linguacodus_place",
        variables,
        _said,
        None,
        PLACE_TOKENS,
        brief.seconds,
        temperature=TEMPERATURE,
    )
    return mind.ask(question)


def _flaws(mind: Mind, brief: Brief, candidates: Sequence[Instruction]) -> str:
    options = [f"option {number}: {option.preprocessing}" for number, option in enumerate(candidates, start=1)]
    variables = {
        "task": Data(_task_text(brief), keep=DESCRIPTION_CHARACTERS),
        "data_type": brief.profile.description.modality,
        "metric": brief.task.metric,
        "options": [Data(option, keep=LONGEST_INSTRUCTION) for option in options],
    }
    key, seconds = "critique/researcher", brief.seconds / 2
    return mind.ask(Question(key, "critique", "linguacodus_researcher", variables, _said, seconds=seconds))


def _resolved(mind: Mind, brief: Brief, flaws: str) -> str:
    key, variables = "critique/resolver", {"answer": Data(flaws, keep=LONGEST_REVIEW)}
    return mind.ask(Question(key, "critique", "linguacodus_resolver", variables, _said, seconds=brief.seconds / 2))


def _task_text(brief: Brief) -> str:
    """What the task says of itself, or its name; without secrets before anything of it is cut."""
    return redact(clean(brief.task.description)).strip() or brief.task.name


def _said(answer: str) -> str:
    """An answer that is plain text, whole. Raises: BadAnswer where it says nothing."""
    text = clean(spoken(answer)).strip()
    if not text:
        raise BadAnswer("It says nothing; answer in words.")
    return text


def _whole(name: str, title: str, text: str) -> Instruction:
    """An instruction that is one text, to be written in modules."""
    said = elide(text, LONGEST_INSTRUCTION)
    return Instruction(name, title.capitalize(), said, ABOVE, ABOVE, source=LLM, tags=[IN_MODULES])
