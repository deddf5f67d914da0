"""What travels through the graph: counters and small frozen values. All else lies in the run folder.

Lists, not tuples, and dataclasses, not NamedTuples: those come back from a checkpoint as they went in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypedDict, TypeVar

from agents.brief import Insight
from agents.standing import Rival
from grading.base import Delivery, Standings, Stored, Task
from ranker.base import Ranked
from recipes.base import Description, Instruction
from sandbox.base import Status

T = TypeVar("T")
Phase = Literal["draft", "screen", "promote", "race", "improve", "refit", "finish"]
Kind = Literal["draft", "improve", "ensemble"]
"""How an attempt's script comes to be: from an instruction, from one attempt's script, from several."""


@dataclass(frozen=True)
class Assignment:
    """One thing to run: an attempt on a view."""

    attempt: str
    """Number of the attempt, such as "0001"."""
    instruction: str
    """Id of its instruction."""
    view: int
    """View number; grading.base.FULL_VIEW for the refit."""
    draft: bool
    """True where the script is still to be written; then failures are repaired."""
    seconds: float
    """Wall clock that each run of the script may take."""
    kind: Kind = "draft"
    parents: list[str] = field(default_factory=list)
    """The attempts that it is made from, the best first."""
    ask_seconds: float = 0.0
    """What each answer of a model may take."""


@dataclass(frozen=True)
class Attempt(Stored):
    """One instruction turned into a script, in up to three tries."""

    id: str
    kind: Kind
    instruction: str
    title: str
    source: str
    tries: int
    status: Status | Literal["invalid", "unwritten", "unanswered"]
    """How the last try ended; "invalid" where it ran and its submission has faults, "unwritten" where no answer of the
    model was a script, "unanswered" where no answer came at all (which counts as no attempt)."""
    script: str
    """The last try's script, relative to the run folder; "" where there is none."""
    faults: list[str] = field(default_factory=list)
    """Why the last try does not count: the error, or what is wrong with its submission."""
    seconds: float = 0.0
    """Wall clock of all its tries on the first view."""
    parents: list[str] = field(default_factory=list)
    """The attempts that it was made from."""
    change: str = ""
    """What the last improvement or repair changed, in the model's words."""
    tokens: int = 0
    """Of all calls of models for it, prompts and answers."""
    usd: float = 0.0

    @property
    def by_model(self) -> bool:
        """Whether a model wrote it, so that it must be clearly better to be taken."""
        return self.source == "llm" or self.kind != "draft"


@dataclass(frozen=True)
class Run(Stored):
    """An attempt's script on one view."""

    attempt: str
    view: int
    status: Status | Literal["invalid"]
    seconds: float
    predictions: str | None
    """Relative to the run folder; None where nothing valid came out."""
    value: float | None
    """Blind score on the view's fold rows; None where nothing is hidden."""
    error: float | None
    """Standard error of `value`."""
    peak_memory_mb: float | None = None

    @property
    def key(self) -> str:
        """Its place in `State.runs`."""
        return f"{self.attempt}/{self.view}"


@dataclass(frozen=True)
class Decision:
    """What the plan says to do next, and why."""

    phase: Phase
    why: str
    assignments: list[Assignment] = field(default_factory=list)


def merge(old: dict[str, T], new: dict[str, T]) -> dict[str, T]:
    """Reducer of parallel branches: each writes keys of its own."""
    return {**old, **new}


class InputState(TypedDict):
    """What a caller hands in."""

    task: str
    """Path of a task.yaml, or of a folder."""
    run: str
    """The run folder; "" lets the graph name one under runs/."""


class State(InputState):
    """What the nodes read and write. Every key is set by the node named."""

    facts: Task
    """describe"""
    description: Description
    """describe"""
    insight: Insight | None
    """describe: what a model makes of the task"""
    pool: list[Instruction]
    """propose"""
    ranking: list[Ranked]
    ranked_by: str
    """What put the ranking in order."""
    """rank"""
    attempts: Annotated[dict[str, Attempt], merge]
    """attempt: by id"""
    runs: Annotated[dict[str, Run], merge]
    """attempt: by Run.key"""
    standings: Standings
    """plan"""
    decision: Decision
    """plan"""
    spent: float
    """plan: seconds of work so far, without downtime"""
    delivery: Delivery | None
    """finish: None where no valid submission was found"""


class OutputState(TypedDict):
    """What a caller gets back."""

    run: str
    delivery: Delivery | None


class AttemptState(TypedDict, total=False):
    """State of one branch: an attempt on a view."""

    run: str
    facts: Task
    assignment: Assignment
    instruction: Instruction
    tries: int
    given_up: bool
    """There is no further script to try"""
    lost: bool
    """because no model answered."""
    script: str
    last: Run
    faults: list[str]
    seconds: float
    rivals: list[Rival]
    """improve, ensemble: the attempts so far, the best first; without their scripts"""
    scripts: dict[str, str]
    """improve, ensemble: attempt -> script, relative to the run folder, of those that a model or a person wrote"""
    earlier: list[str]
    """improve: what was changed before, and what came of it"""
    change: str
    tried: list[str]
    """repair: what earlier repairs changed, and how those ended"""
    attempts: Annotated[dict[str, Attempt], merge]
    runs: Annotated[dict[str, Run], merge]
