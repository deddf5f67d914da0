"""What a run holds open and never puts into its state: the sandbox, the grader, the clock and the lock."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from langgraph.config import get_stream_writer
from pydantic import TypeAdapter

from agents.brief import Brief, Insight
from agents.describe import load_profile
from grading.base import Delivery, Grade, Standings, Task, View
from grading.grader import Grader
from graphs.clock import Clock
from graphs.folder import RunFolder
from graphs.minds import open_mind
from graphs.owning import own, place_of
from graphs.recorded import RecordedSandbox
from graphs.settings import Settings
from models.base import Mind
from models.records import Records, totals
from ranker.base import Ranker
from ranker.prior import PriorRanker
from ranker.process import load_ranker
from sandbox.base import Mount, Sandbox, SandboxClosed
from sandbox.docker_sandbox import DockerSandbox
from sandbox.files import write_atomically
from sandbox.image import ensure_image
from sandbox.script import DATA_DIR, MOUNTS_DIR, keep_scripts_warm


class Grading(Protocol):
    """What the graph asks of the grader (see grading.grader.Grader for what each does)."""

    def infer(self) -> Task:
        """The task with nothing left to guess."""
        ...

    def make_view(self, number: int) -> View:
        """A view on disk, made once."""
        ...

    def grade(self, attempt: str, view: int, predictions: str) -> Grade:
        """One submission on one view."""
        ...

    def standings(self, runs: dict[str, dict[int, str]]) -> Standings:
        """All attempts and the best blend."""
        ...

    def write_best(self, members: dict[str, float], runs: dict[str, dict[int, str]]) -> list[str]:
        """graded/submission.csv from graded predictions; its faults."""
        ...

    def deliver(
        self, members: dict[str, float], runs: dict[str, dict[int, str]], full: dict[str, str], audit: dict[str, str]
    ) -> Delivery:
        """The final submission and its estimate."""
        ...

    def png(self, data: bytes) -> bytes | None:
        """A picture decoded and encoded anew; None where it is none."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


@dataclass
class Live:
    """The open things of one run. `close` frees them all and may be called from any thread, more than once."""

    folder: RunFolder
    settings: Settings
    data: Path
    """The user's data folder."""
    sandbox: Sandbox
    grader: Grading
    mind: Mind
    records: Records
    """What was asked of models."""
    ranker: Ranker = field(default_factory=PriorRanker)
    extra: dict[str, Path] = field(default_factory=dict)
    """The user's other files and folders for scripts, by name."""
    stack: ExitStack = field(default_factory=ExitStack)
    clock: Clock = field(default_factory=Clock)
    best: threading.Lock = field(default_factory=threading.Lock)
    """Held while the best submission is being replaced."""
    planned: float = field(default_factory=time.monotonic)
    """When it was last decided what to do next."""
    slots: threading.BoundedSemaphore = field(init=False)
    """One for each script that may run side by side, whatever drives the graph."""

    def __post_init__(self) -> None:
        self.slots = threading.BoundedSemaphore(self.settings.parallel)

    def worked(self, known: float) -> float:
        """Seconds of work so far (see `Clock.worked`), asked when it is decided what to do next."""
        self.planned = time.monotonic()
        return self.clock.worked(known)

    def spare(self, share: float) -> float:
        """Seconds that an answer, or a further try, may take now; at the last plan half of the time was `share`."""
        return min(share, 2 * share - (time.monotonic() - self.planned))

    def time_left(self) -> float:
        """Seconds of the run's minutes that are left now, at least 1."""
        return max(1.0, self.settings.minutes * 60 - self.clock.worked(0.0))

    def brief(self, facts: Task, seconds: float) -> Brief:
        """What prompts say of the task; an answer may take `seconds`."""
        try:
            insight = _INSIGHT.validate_json(self.folder.insight.read_bytes())
        except FileNotFoundError:
            insight = None
        limits, script = self.settings.limits(), self.settings.budget().first_seconds(facts.views)
        spec = self.folder.load()[0]
        metric = _code(Path(spec.metric.file)) if spec.metric.file else None
        own_split = spec.views.file is not None
        profile = load_profile(self.folder.profile)
        return Brief(facts, profile, limits, script, insight, metric, own_split, seconds, sorted(self.extra))

    def spent_on(self, attempt: str) -> tuple[int, float]:
        """Tokens and USD of all calls for an attempt."""
        sums = totals([record for record in self.records.all() if record.key.startswith(f"{attempt}/")])
        whole = sums.get("all", {"prompt_tokens": 0, "completion_tokens": 0, "usd": 0.0})
        return whole["prompt_tokens"] + whole["completion_tokens"], whole["usd"]

    def mounts(self, view: int, shared: list[str]) -> list[Mount]:
        """A view's files, the files and folders that all views share, and the user's own, as a script sees them."""
        own = [Mount(self.folder.view(view).resolve(), DATA_DIR)]
        own += [Mount((self.data / name).resolve(), f"{DATA_DIR}/{name}") for name in shared]
        return own + [Mount(path, f"{MOUNTS_DIR}/{name}") for name, path in self.extra.items()]

    def keep_warm(self, facts: Task, count: int) -> None:
        """Have `count` containers ready for drafts (the first view is on disk): they start while a model thinks."""
        mounts, settings = self.mounts(facts.first_view, facts.shared), self.settings
        keep_scripts_warm(self.sandbox, count, mounts, settings.limits(), settings.seed)

    def put_best(self, submission: Path) -> None:
        """Make `submission` the run's best so far; a reader never sees half a file."""
        write_atomically(self.folder.submission, submission.read_bytes())

    def close(self) -> None:
        """Stop what runs and what is asked, and free everything."""
        self.mind.close()
        self.ranker.close()
        self.sandbox.close()
        self.grader.close()
        self.stack.close()


_INSIGHT = TypeAdapter(Insight)
_open: dict[str, Live] = {}
_stopped: set[str] = set()
_lock = threading.RLock()


def live(run: str) -> Live:
    """The open things of the run in folder `run`, opened by the first who asks.

    Raises: TaskError where another process owns the run, SandboxError.
    """
    run = place_of(run)
    with _lock:
        if run in _stopped:
            raise SandboxClosed(f"{run} was stopped")
        if run not in _open:
            _open[run] = _open_run(RunFolder(Path(run)))
        return _open[run]


def use(run: str, things: Live) -> None:
    """Let `live(run)` answer with `things` (another engine, or scripted ones in tests)."""
    with _lock:
        _open[run] = things


def stop(run: str) -> None:
    """End the run now: what executes ends with SandboxClosed, and nothing is opened again by this process."""
    with _lock:
        _stopped.add(run)
    close(run)


def close(run: str) -> None:
    """Free what `live(run)` opened, if anything."""
    with _lock:
        things = _open.pop(place_of(run), None)
    if things:
        things.close()


def _open_run(folder: RunFolder) -> Live:
    spec, settings = folder.load()
    with ExitStack() as stack:
        stack.enter_context(own(folder))
        records = Records(folder.llm)
        mind = open_mind(spec, settings, records, _say)
        stack.callback(mind.close)
        image = spec.image or ensure_image()
        if settings.replay and settings.replay_executions:
            sandbox: Sandbox = RecordedSandbox(RunFolder(Path(settings.replay)))
        else:
            sandbox = stack.enter_context(DockerSandbox(image, spec.runtime))
        grader = stack.enter_context(Grader(spec, folder.path, image, settings.seed))
        ranker = load_ranker(settings.ranker, settings.seed)
        extra = dict(spec.mounts)
        clock = Clock(folder.clock)
        stack.callback(clock.close)
        return Live(folder, settings, spec.data, sandbox, grader, mind, records, ranker, extra, stack.pop_all(), clock)


def _code(path: Path) -> str | None:
    """The user's own metric for prompts; they do without where it has been moved."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _say(event: dict[str, Any]) -> None:
    """Models are asked by nodes, whose events go to whoever watches the run."""
    get_stream_writer()(event)
