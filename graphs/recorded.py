# ruff: noqa: ARG002 - it takes what a sandbox takes
"""A sandbox that runs nothing: the results of scripts come from the record of an earlier run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from graphs.folder import RunFolder
from graphs.keeping import kept
from models.base import ReplayDiffers
from sandbox.base import ExecutionResult, FetchedFile, Limits, Mount
from sandbox.script import DATA_DIR, ScriptRun

DIGEST = "solution.sha256"


@dataclass
class RecordedSession:
    """One try, as it ended then."""

    sandbox: RecordedSandbox
    view: str
    run: ScriptRun | None = None

    def execute(self, code: str, seconds: float, env: Mapping[str, str] | None = None) -> ExecutionResult:
        """See sandbox.base.Session. Raises: ReplayDiffers."""
        self.run = self.sandbox.find(code, self.view)
        return self.run.result

    def fetch(self, path: str, max_bytes: int) -> FetchedFile:
        """See sandbox.base.Session."""
        return self.run.output if self.run else FetchedFile(None, f"{path} was not written")


@dataclass
class RecordedSandbox:
    """Answers with what the run in `source` recorded of the same scripts on the same views."""

    source: RunFolder
    _tries: dict[str, Path] = field(default_factory=dict)
    """Digest of a script -> the folder of its try."""

    @contextmanager
    def session(
        self, *, mounts: Sequence[Mount] = (), limits: Limits | None = None, env: Mapping[str, str] | None = None
    ) -> Iterator[RecordedSession]:
        """See sandbox.base.Sandbox."""
        yield RecordedSession(self, next(mount.source.name for mount in mounts if mount.target == DATA_DIR))

    def keep_warm(
        self,
        count: int,
        *,
        mounts: Sequence[Mount] = (),
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started here."""

    def isolation(self) -> dict[str, str]:
        """Nothing ran."""
        return {"engine": f"none: the results of scripts come from the record of {self.source.path.name}"}

    def close(self) -> None:
        """There is nothing to free."""

    def find(self, code: str, view: str) -> ScriptRun:
        """How a script ended on a view.

        Raises: ReplayDiffers where the record has no such script or view.
        """
        if not self._tries:
            homes = [*self.source.path.glob("attempts/*/try-*"), self.source.profile.parent]
            self._tries = {_digest_in(home): home for home in homes}
        home = self._tries.get(digest(code))
        if home == self.source.profile.parent:
            return ScriptRun(ExecutionResult("ok", None, "", "", 0.0, None), self._profile())
        try:
            if home is None:
                raise FileNotFoundError
            return kept(home / view)
        except FileNotFoundError:
            raise ReplayDiffers(
                f"The replay differs: {self.source.path} has no result of this script on {view}. Leave "
                f"--replay-executions out, so that scripts are run anew."
            ) from None

    def _profile(self) -> FetchedFile:
        return FetchedFile(self.source.profile.read_bytes(), None)


def digest(code: str) -> str:
    """What a script is known by."""
    return hashlib.sha256(code.encode()).hexdigest()


def _digest_in(home: Path) -> str:
    """The digest of the script in a folder; a record that was kept for tests holds nothing else of it."""
    kept_digest = home / DIGEST
    return kept_digest.read_text().strip() if kept_digest.exists() else digest((home / "solution.py").read_text())
