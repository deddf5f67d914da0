"""`python -m sandbox.run SCRIPT_OR_FOLDER --data DIR`: run any script, or a solution again, in the sandbox."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from sandbox.base import ExecutionResult, Limits, Mount, Sandbox, SandboxError
from sandbox.script import DATA_DIR, MEMBERS_DIR, MOUNT_NAME, MOUNTS_DIR, SUBMISSION, ScriptRun, run_script
from sandbox.temp_folders import temp_prefix

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
    data: Path | None
    mounts: list[Mount] = field(default_factory=list)
    """What the scripts see besides the data."""


@dataclass(frozen=True)
class Terms:
    """Under which limits; the same for every script."""

    limits: Limits
    seconds: float
    seed: int
    output: str = SUBMISSION
    """The file that a script writes in its working folder."""


def read_job(solution: Path, data: Path | None, mounts: Sequence[str] = ()) -> Job:
    """Find the scripts of a file or folder; `mounts` are as in `--mount`. Raises: BadInput."""
    if data and not data.is_dir():
        raise BadInput(f"--data {data} is not a folder; name the folder that holds the task's files.")
    folder, others = data.resolve() if data else None, [_read_mount(text) for text in mounts]
    if solution.is_file() and solution.suffix == ".py":
        return Job({}, solution, folder, others)
    if not solution.is_dir():
        raise BadInput(f"{solution} is neither a Python script nor a folder with one; check the path.")
    members = {path.stem.removeprefix("member-"): path for path in sorted(solution.glob("member-*.py"))}
    blend, single = solution / "blend.py", solution / "solution.py"
    if members and blend.is_file():
        return Job(members, blend, folder, others)
    if single.is_file():
        return Job({}, single, folder, others)
    raise BadInput(f"{solution} holds neither solution.py nor member-*.py with blend.py; name a solution's folder.")


def _read_mount(text: str) -> Mount:
    name, _, path = text.partition("=")
    if not MOUNT_NAME.fullmatch(name) or not path:
        raise BadInput(f"--mount {text} is not NAME=PATH with a plain name; write for example --mount weights=bert/.")
    if not Path(path).exists():
        raise BadInput(f"--mount {text}: {path} does not exist; name a file or folder.")
    return Mount(Path(path).resolve(), f"{MOUNTS_DIR}/{name}")


def run_job(sandbox: Sandbox, job: Job, terms: Terms) -> bytes:
    """The submission. Raises: CodeFailed, SandboxError."""
    given = ([Mount(job.data, DATA_DIR)] if job.data else []) + job.mounts
    with tempfile.TemporaryDirectory(prefix=temp_prefix("members")) as folder:
        mounts = list(given)
        for name, path in job.members.items():
            member = Path(folder) / f"{name}.csv"
            member.write_bytes(_run_one(sandbox, path, given, terms))
            member.chmod(0o644)
            mounts.append(Mount(member, f"{MEMBERS_DIR}/{name}.csv"))
        return _run_one(sandbox, job.last, mounts, terms)


def _run_one(sandbox: Sandbox, path: Path, mounts: list[Mount], terms: Terms) -> bytes:
    typer.echo(f"running {path.name} ...", err=True)
    run = run_script(
        sandbox,
        _read(path),
        mounts=mounts,
        limits=terms.limits,
        seconds=terms.seconds,
        seed=terms.seed,
        fetch=terms.output,
    )
    _show(path, run)
    if run.output.data is None:
        raise CodeFailed(f"{path.name} ended with {run.result.status} and left no {terms.output}: {run.output.fault}.")
    if run.result.status not in ("ok", "timeout"):
        raise CodeFailed(f"{path.name} ended with {run.result.status}; its {terms.output} is not taken.")
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


def _run(job: Job, out: Path, terms: Terms, image: str, runtime: str | None) -> None:
    # Late, so that --help answers at once: these import the Docker SDK.
    from sandbox.docker_sandbox import DockerSandbox  # noqa: PLC0415
    from sandbox.image import image_tag  # noqa: PLC0415

    with DockerSandbox(image or image_tag(), runtime) as sandbox:
        _write(out, run_job(sandbox, job, terms))
    typer.echo(f"wrote {out}", err=True)


def main(
    solution: Annotated[Path, typer.Argument(help="A script (.py), or the folder of a solution.")],
    data: Annotated[Path | None, typer.Option(help="A folder that the script sees read-only as ./data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the file is written; its own name here by default.")] = None,
    output: Annotated[str, typer.Option(help="The file that it writes, taken after a time-out too.")] = SUBMISSION,
    mount: Annotated[
        list[str] | None, typer.Option(help="NAME=PATH: a file or folder, seen read-only as ./mounts/NAME; repeatable.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Wall clock for each script.")] = 10.0,
    memory_mb: Annotated[int, typer.Option(min=128, help="Memory for each script in MiB.")] = 4096,
    cpus: Annotated[float, typer.Option(min=0.1, help="CPU cores; all of this machine's by default.")] = float(
        os.cpu_count() or 1
    ),
    disk_mb: Annotated[int, typer.Option(min=16, help="Scratch disk for each script in MiB.")] = 4096,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs of the engine's machine.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="SEED in the script's environment.")] = 0,
    image: Annotated[str, typer.Option(help="Another image than our own.")] = "",
    runtime: Annotated[str | None, typer.Option(help="Another container runtime, such as runsc (gVisor).")] = None,
) -> None:
    """Run a script or a solution in the sandbox (no network, no secrets, limits) and write the file that it makes."""
    limits = Limits(memory_mb=memory_mb, cpus=cpus, disk_mb=disk_mb, gpus=gpus)
    terms = Terms(limits, minutes * 60, seed, output)
    try:
        job = read_job(solution, data, mount or [])
        _run(job, out or Path(Path(output).name), terms, image, runtime)
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
