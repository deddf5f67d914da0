"""The fine-tuned ranker, seen from the host: another process, so that torch stays out of this one."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from models.local_process import Child, LocalModelError
from ranker.base import SHIPPED_FOLDER, Ranked, Ranker, RankerUnavailable
from ranker.explore import with_random_share
from ranker.prior import NoRanker, PriorRanker, take_turns
from ranker.records import Finite, finite
from ranker.shared import Connection, SharedRankerEnded, shared_connection
from ranker.words import instruction_text, task_text
from recipes.base import Description, Instruction
from sandbox.frames import FrameError

SHIPPED, PRIOR, OFF = "shipped", "prior", "off"
"""What a user can name besides a folder."""
DEFAULT_VARIABLE = "LINGUACODUS_RANKER"
"""Environment variable that names the ranker where nothing else does."""
FILES = ("averages.json", "meta.txt", "blend.json", "card.json")
LIBRARIES = ("torch", "transformers", "peft", "lightgbm", "scipy", "sklearn")
CHILD = "ranker.child"
SECONDS = 120.0
"""Loading and an answer take a few seconds together; what takes so long does not come any more."""
SAID = {"prior": "prior", "meta": "like tasks", "lm": "language model"}


def wanted_ranker(said: str | None) -> str:
    """The ranker that was asked for: shipped, prior, off, or the absolute path of a folder.

    Raises: RankerUnavailable for a folder that is none.
    """
    text = said or os.environ.get(DEFAULT_VARIABLE) or SHIPPED
    if text in (SHIPPED, PRIOR, OFF):
        return text
    if missing := _missing(Path(text)):
        where = "--ranker" if said else DEFAULT_VARIABLE
        raise RankerUnavailable(
            f"{where} {text}: holds no ranker ({missing} is missing); name a folder of ranker.train, prior or off."
        )
    return str(Path(text).resolve())


def load_ranker(wanted: str, seed: int) -> Ranker:
    """The ranker that `wanted_ranker` answered with; `seed` draws the random share of a fine-tuned one."""
    if wanted == PRIOR:
        return PriorRanker()
    if wanted == OFF:
        return NoRanker()
    return FineTunedRanker(SHIPPED_FOLDER if wanted == SHIPPED else Path(wanted), seed)


class Answer(BaseModel):
    """What the process says of a pool, in its order."""

    totals: list[Finite]
    shares: list[dict[str, Finite]]


class FineTunedRanker:
    """Prior, meta-feature model and language model of one folder, asked in a process of their own or of the batch."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        libraries: Sequence[str] = LIBRARIES,
        module: str = CHILD,
        seconds: float = SECONDS,
    ) -> None:
        self.name = "the fine-tuned ranker"
        self._folder, self._seed = folder, seed
        self._libraries, self._module, self._seconds = libraries, module, seconds
        self._child: Child | Connection | None = None
        self._closed = self._alone = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process, or call the shared one, where it has what it needs; what fails is told by `rank`."""
        with self._lock:
            if self._child is not None or self._closed or self._lack():
                return
            try:
                shared = None if self._alone else shared_connection()
                self._child = shared or Child(f"python -m {self._module}", self._module)
                self._child.send({"folder": str(self._folder.resolve())})
            except (LocalModelError, OSError):
                pass

    def rank(self, description: Description, metric: str, pool: Sequence[Instruction]) -> list[Ranked]:
        """Recipes by their blended scores, and the others by theirs, in turns. Raises: RankerUnavailable."""
        if len(pool) < 2:
            return PriorRanker().rank(description, metric, pool)
        numbers = finite(description.numbers)
        asked = {
            "text": task_text(description.modality, metric, numbers),
            "numbers": numbers,
            "metric": metric,
            "instructions": [_shown(instruction) for instruction in pool],
        }
        answer = self._ask(asked, len(pool))
        found = {
            instruction.id: Ranked(instruction.id, round(total, 3), _why(shares))
            for instruction, total, shares in zip(pool, answer.totals, answer.shares, strict=True)
        }
        known, new = ([found[i.id] for i in pool if (i.prior > 0) == has] for has in (True, False))
        turns = take_turns(*(sorted(some, key=lambda ranked: -ranked.score) for some in (known, new)))
        return with_random_share(turns, self._seed)

    def close(self) -> None:
        """End the process; none is started any more."""
        with self._lock:
            self._closed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _ask(self, asked: Mapping[str, object], size: int) -> Answer:
        """The answer of the shared process, or of one of our own where that ends. Raises: RankerUnavailable."""
        try:
            return self._answer(asked, size)
        except SharedRankerEnded:
            self._alone = True
            return self._answer(asked, size)

    def _answer(self, asked: Mapping[str, object], size: int) -> Answer:
        """One question to the process, which is then left. Raises: RankerUnavailable, SharedRankerEnded."""
        self.start()
        with self._lock:
            child, closed = self._child, self._closed
        if child is None:
            lack = "it was closed." if closed else self._lack() or "its process could not be started; try again."
            raise RankerUnavailable(f"{self.name} cannot be used: {lack}")
        began = time.monotonic()
        watchdog = threading.Timer(self._seconds, child.end)
        watchdog.daemon = True
        watchdog.start()
        try:
            _said(child)
            child.send(asked)
            return _checked(_said(child), size)
        except SharedRankerEnded:
            raise
        except (LocalModelError, FrameError) as fault:
            late = time.monotonic() - began >= self._seconds
            words = f"it took longer than {self._seconds:g} s; try again, or choose prior." if late else str(fault)
            raise RankerUnavailable(f"{self.name} cannot be used: {words}") from fault
        finally:
            watchdog.cancel()
            self._end()

    def _lack(self) -> str | None:
        """What is not there, as a sentence; None where nothing is amiss."""
        missing = [name for name in self._libraries if importlib.util.find_spec(name) is None]
        if missing:
            return f"it needs {', '.join(missing)}: run `make ranker`."
        if name := _missing(self._folder):
            return f"{self._folder / name} is missing; name a folder that ranker.train has written."
        return None


def _missing(folder: Path) -> str | None:
    """The first file of a ranker that the folder lacks."""
    return next((name for name in FILES if not (folder / name).is_file()), None)


def _said(child: Child | Connection) -> dict[str, Any]:
    """The next frame. Raises: LocalModelError, also where the frame says what is wrong with the folder."""
    frame = child.receive()
    if "fault" in frame:
        raise LocalModelError(str(frame["fault"]))
    return frame


def _checked(frame: Mapping[str, Any], size: int) -> Answer:
    """The answer, one finite total for each of `size` instructions. Raises: LocalModelError."""
    try:
        answer = Answer.model_validate(frame)
    except ValidationError as fault:
        raise LocalModelError("its scores are no finite numbers; train it anew.") from fault
    if not len(answer.totals) == len(answer.shares) == size:
        raise LocalModelError(f"it scored {len(answer.totals)} of {size} instructions; train it anew.")
    return answer


def _shown(instruction: Instruction) -> dict[str, object]:
    """What the ranker sees of an instruction."""
    text = instruction_text(instruction.preprocessing, instruction.model, instruction.training)
    return {"id": instruction.id, "text": text, "source": instruction.source, "prior": instruction.prior}


def _why(shares: Mapping[str, float]) -> str:
    """ "prior +0.41, like tasks +0.20, language model -0.05": each part's say, the largest first."""
    order = sorted(shares, key=lambda name: -abs(shares[name]))
    return ", ".join(f"{SAID.get(name, name)} {shares[name]:+.2f}" for name in order)
