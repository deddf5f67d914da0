"""`python -m sandbox.run SCRIPT_OR_FOLDER --data DIR`: run a solution again, as safely as it was run at first."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sandbox.base import ExecutionResult, Limits, Mount, Sandbox, SandboxError
from sandbox.script import DATA_DIR, MEMBERS_DIR, ScriptRun, run_script

OK, CODE_FAILED, BAD_INPUT, MACHINE = 0, 1, 2, 3
"""Exit codes."""


class BadInput(Exception):
    """A mistake in what was asked for, as one sentence with a remedy."""


class CodeFailed(Exception):
    """A script did not end well, or left no submission."""


@dataclass(frozen=True)
class Job:
    """What is to be run."""

    members: dict[str, Path]
    """Scripts whose submissions the last one reads, by member name; empty for a single script."""
    last: Path
    """The script that writes the submission."""
    data: Path


@dataclass(frozen=True)
class Terms:
    """Under which limits; the same for every script."""

    limits: Limits
    seconds: float
    seed: int


def read_job(solution: Path, data: Path) -> Job:
    """Find the scripts of a file or folder. Raises: BadInput."""
    if not data.is_dir():
        raise BadInput(f"--data {data} is not a folder; name the folder that holds the task's files.")
    if solution.is_file() and solution.suffix == ".py":
        return Job({}, solution, data.resolve())
    if not solution.is_dir():
        raise BadInput(f"{solution} is neither a Python script nor a folder with one; check the path.")
    members = {path.stem.removeprefix("member-"): path for path in sorted(solution.glob("member-*.py"))}
    blend, single = solution / "blend.py", solution / "solution.py"
    if members and blend.is_file():
        return Job(members, blend, data.resolve())
    if single.is_file():
        return Job({}, single, data.resolve())
    raise BadInput(f"{solution} holds neither solution.py nor member-*.py with blend.py; name a solution's folder.")


def run_job(sandbox: Sandbox, job: Job, terms: Terms) -> bytes:
    """The submission. Raises: CodeFailed, SandboxError."""
    data = Mount(job.data, DATA_DIR)
    with tempfile.TemporaryDirectory(prefix="linguacodus-members-") as folder:
        mounts = [data]
        for name, path in job.members.items():
            member = Path(folder) / f"{name}.csv"
            member.write_bytes(_run_one(sandbox, path, [data], terms))
            member.chmod(0o644)
            mounts.append(Mount(member, f"{MEMBERS_DIR}/{name}.csv"))
        return _run_one(sandbox, job.last, mounts, terms)


def _run_one(sandbox: Sandbox, path: Path, mounts: list[Mount], terms: Terms) -> bytes:
    typer.echo(f"running {path.name} ...", err=True)
    run = run_script(sandbox, _read(path), mounts=mounts, limits=terms.limits, seconds=terms.seconds, seed=terms.seed)
    _show(path, run)
    if run.output.data is None:
        raise CodeFailed(f"{path.name} ended with {run.result.status} and left no submission: {run.output.fault}.")
    if run.result.status not in ("ok", "timeout"):
        raise CodeFailed(f"{path.name} ended with {run.result.status}; its submission is not taken.")
    return run.output.data


def _show(path: Path, run: ScriptRun) -> None:
    """What the script printed, and how it ended."""
    result = run.result
    typer.echo(result.stdout, nl=False)
    typer.echo(result.stderr, nl=False, err=True)
    memory = "" if result.peak_memory_mb is None else f", {result.peak_memory_mb:.0f} MiB at most"
    typer.echo(f"{path.name}: {result.status} after {result.seconds:.1f} s{memory}", err=True)
    if result.error:
        typer.echo(_describe(result), err=True)


def _describe(result: ExecutionResult) -> str:
    error = result.error
    assert error is not None
    place = f" (line {error.line} of the script)" if error.line else ""
    return f"{error.traceback}\n{error.type}: {error.message}{place}".strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text ({error}); name a Python script.") from error


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); choose another --out.") from error


def _run(solution: Path, data: Path, out: Path, terms: Terms, image: str) -> None:
    # Late, so that --help answers at once: these import the Docker SDK.
    from sandbox.docker_sandbox import DockerSandbox  # noqa: PLC0415
    from sandbox.image import image_tag  # noqa: PLC0415

    job = read_job(solution, data)
    with DockerSandbox(image or image_tag()) as sandbox:
        _write(out, run_job(sandbox, job, terms))
    typer.echo(f"wrote {out}", err=True)


def main(
    solution: Annotated[Path, typer.Argument(help="A script (.py), or the folder of a solution.")],
    data: Annotated[Path, typer.Option(help="The folder with the task's files, seen read-only as ./data.")],
    out: Annotated[Path, typer.Option(help="Where the submission is written.")] = Path("submission.csv"),
    minutes: Annotated[float, typer.Option(min=0.01, help="Wall clock for each script.")] = 10.0,
    memory_mb: Annotated[int, typer.Option(min=128, help="Memory for each script in MiB.")] = 4096,
    cpus: Annotated[float, typer.Option(min=0.1, help="CPU cores; all of this machine's by default.")] = float(
        os.cpu_count() or 1
    ),
    seed: Annotated[int, typer.Option(min=0, help="SEED in the script's environment.")] = 0,
    image: Annotated[str, typer.Option(help="Another image than our own.")] = "",
) -> None:
    """Run a solution in the sandbox (no network, no secrets, limits) and write its submission."""
    terms = Terms(Limits(memory_mb=memory_mb, cpus=cpus), minutes * 60, seed)
    try:
        _run(solution, data, out, terms, image)
    except BadInput as error:
        _leave(str(error), BAD_INPUT)
    except CodeFailed as error:
        _leave(str(error), CODE_FAILED)
    except SandboxError as error:
        _leave(str(error), MACHINE)


def _leave(message: str, code: int) -> None:
    typer.echo(message, err=True)
    sys.exit(code)


if __name__ == "__main__":
    typer.run(main)
