"""`python -m ranker.train --records FILE... --out FOLDER`: train a ranker; `--runs DIR...`: learn from own runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ranker import base_model
from ranker.averages import fit_averages
from ranker.base import SHIPPED_FOLDER
from ranker.blend import Blend, fit_blend
from ranker.bundle import BASE_FOLDER, Bundle, BundleError, base_of, load_bundle
from ranker.lm_train import BEST, Plan, train
from ranker.meta import fit_meta
from ranker.model import Scorer, fresh, load
from ranker.outcomes import Outcomes, gather, origin
from ranker.own_runs import OwnRuns, better, learn_from, runs_records
from ranker.records import RecordError, read_records, share_of
from ranker.rivals import save_rivals

HELD_OUT_SHARE = 0.12
LEAST_TASKS = 10
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Split:
    """Tasks that are learned from and tasks that decide when to stop and what weighs how much."""

    learned: list[Outcomes]
    held: list[Outcomes]


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="Folder of the new ranker; one that was begun is gone on with.")],
    records: Annotated[list[Path] | None, typer.Option(help="Files of records, as ranker.generate writes.")] = None,
    runs: Annotated[list[Path] | None, typer.Option(help="Run folders, or folders of them, to learn from.")] = None,
    start: Annotated[Path, typer.Option(help="With --runs: the ranker that is taken further.")] = SHIPPED_FOLDER,
    base: Annotated[
        Path | None, typer.Option(help="Folder of a Hugging Face model; default: the embedded one.")
    ] = None,
    reading: Annotated[str, typer.Option(help="apart (each text alone) or together (each pair).")] = "apart",
    epochs: Annotated[int, typer.Option(min=1)] = 12,
    steps: Annotated[int | None, typer.Option(min=1, help="At most so many steps.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Tasks a step.")] = 16,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 1e-3,
    contrast: Annotated[float, typer.Option(min=0, help="Weight of the contrast between tasks.")] = 1.0,
    lora_rank: Annotated[int, typer.Option(min=1)] = 16,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of one text.")] = 512,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU; default: all cores.")] = None,
    no_lm: Annotated[bool, typer.Option("--no-lm", help="Averages and meta-feature model only.")] = False,
    lm_of: Annotated[
        Path | None, typer.Option(help="With --records: take the language model of this ranker as it is.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Train prior, meta-feature model and language model, and fit what each has to say on held-out tasks."""
    if threads:
        torch.set_num_threads(threads)
    if reading not in ("apart", "together"):
        fail(f"--reading {reading}: choose apart or together.")
    if not records and not runs:
        fail("Nothing to learn from: name --records FILE, --runs DIR, or both.")
    way: Literal["apart", "together"] = "apart" if reading == "apart" else "together"
    plan = Plan(epochs, batch, rate, contrast, steps=steps, seed=seed)
    try:
        made = [record for path in records or [] for record in read_records(path)]
        own = runs_records(runs or [])
        if own and not made:
            further(OwnRuns(gather(own), seed), start, out, base or base_of(start), plan, no_lm)
            return
        tasks = [task for task in gather([*made, *own]) if task.task.role == "train"]
        if len(tasks) < LEAST_TASKS:
            fail(f"Only {len(tasks)} tasks with two outcomes or more are to learn from; {LEAST_TASKS} are the least.")
        parts = split(tasks)
        settings = {"files": [path.name for path in records or []], "sha256": digest(records or []), "seed": seed}
        chosen = base or (base_of(lm_of) if lm_of else base_model.FOLDER)
        scorer = None if no_lm or lm_of else begin(chosen, way, lora_rank, max_tokens, seed)
        bundle = fit(parts, scorer, plan, out, chosen, settings, lm_of)
    except (RecordError, BundleError, FileNotFoundError, OSError, ValueError) as fault:
        fail(" ".join(str(fault).split()))
    print(f"{out}: weights {bundle.blend.weights}. How good it is: python -m ranker.evaluate FILE --ranker {out}")


def begin(base: Path, reading: Literal["apart", "together"], rank: int, max_tokens: int, seed: int) -> Scorer:
    """A scorer that knows nothing yet. Raises: FileNotFoundError, OSError, ValueError."""
    if not (base / "config.json").is_file():
        raise FileNotFoundError(f"{base} holds no model: run `make ranker`, or name another folder with --base.")
    torch.manual_seed(seed)
    name = base_model.NAME if base == base_model.FOLDER else base.name
    return fresh(base, name, reading, rank, max_tokens)


def fit(
    parts: Split,
    scorer: Scorer | None,
    plan: Plan,
    out: Path,
    base: Path,
    settings: dict[str, object],
    lm_of: Path | None = None,
) -> Bundle:
    """Fit every part and write the folder; the language model of the ranker `lm_of` is taken as it is."""
    clock = time.perf_counter()
    averages = fit_averages(parts.learned)
    meta = fit_meta(parts.learned, averages, plan.seed)
    card: dict[str, object] = {
        "made": f"python -m ranker.train, {time.strftime('%Y-%m-%d')}",
        "records": settings,
        "tasks": {"learned": len(parts.learned), "held out": len(parts.held)},
        "trained on": sorted({origin(task.task.id) for task in [*parts.learned, *parts.held]}),
        "outcomes": sum(len(task.instructions) for task in parts.learned),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft", "lightgbm")},
    }
    if base != base_model.FOLDER:
        card[BASE_FOLDER] = str(base.resolve())
    if scorer is not None:
        card["language model"] = train_lm(scorer, parts, plan, out)
        scorer = load(out / "lm", base)
    if lm_of is not None:
        before = load_bundle(lm_of, base)
        scorer, card["language model"] = before.lm, before.card.get("language model")
        card["trained on"] = sorted({*before.card.get("trained on", []), *(origin(t.task.id) for t in parts.learned)})
        shutil.copytree(lm_of / "lm", out / "lm", dirs_exist_ok=True)
    unweighted = Bundle(averages, meta, Blend({}, {}), scorer, card)
    said = unweighted.parts_of(parts.held)
    blend = fit_blend([(one, task.value) for one, task in zip(said, parts.held, strict=True)])
    card["seconds"] = round(time.perf_counter() - clock)
    done = replace(unweighted, blend=blend)
    done.save(out)
    save_rivals(out / "rivals", parts.learned, plan.seed)
    return done


def train_lm(scorer: Scorer, parts: Split, plan: Plan, out: Path) -> dict[str, object]:
    """Train the language model with a bar; its best state goes to out/lm."""
    work = out / "training"
    work.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as screen:
        bar = screen.add_task("language model", total=1.0)

        def say(text: str, share: float) -> None:
            screen.update(bar, completed=share)
            if text:
                screen.console.print(text)
                sys.stdout.flush()

        progress = train(scorer, parts.learned, parts.held, plan, work, say)
    shutil.rmtree(out / "lm", ignore_errors=True)
    shutil.copytree(work / BEST, out / "lm")
    trained = sum(p.numel() for p in scorer.parameters() if p.requires_grad)
    facts = {"base": scorer.settings.base, "trained parameters": trained, "steps": progress.step}
    return {**facts, "seconds": round(progress.seconds), "history": progress.history, "device": str(scorer.device)}


def further(own: OwnRuns, start: Path, out: Path, base: Path, plan: Plan, no_lm: bool) -> None:
    """Take a ranker further with what runs recorded, and keep it only if it is better on tasks it has not seen."""
    if (out / "card.json").exists():
        fail(f"{out} holds a ranker already; name another folder with --out.")
    before = load_bundle(start, base, with_lm=not no_lm)
    lm = None if no_lm or before.lm is None else load(start / "lm", base, trainable=True)
    after, said = learn_from(own, before, lm, plan, out)
    if lm is not None:
        after = replace(after, lm=load(out / "training" / BEST, base))
    held = own.held_out(start)
    kept, sentence = better(before, after, held)
    print(said)
    print(sentence)
    if kept:
        after.save(out)
        if (out / "training" / BEST).is_dir():
            shutil.rmtree(out / "lm", ignore_errors=True)
            shutil.copytree(out / "training" / BEST, out / "lm")
        elif (start / "lm").is_dir() and not no_lm:
            shutil.copytree(start / "lm", out / "lm", dirs_exist_ok=True)
        print(f"Kept in {out}; use it: python -m agents.run TASK --ranker {out}")
    else:
        shutil.rmtree(out / "training", ignore_errors=True)
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def split(tasks: Sequence[Outcomes]) -> Split:
    """Held out are the tasks whose ids say so: the same ones whatever else is in the files."""
    held = [task for task in tasks if is_held(task.task.id)]
    learned = [task for task in tasks if not is_held(task.task.id)]
    if not held:
        held, learned = learned[:2], learned[2:]
    return Split(learned, held)


def is_held(task: str) -> bool:
    """By a hash of the id, for HELD_OUT_SHARE of all."""
    return share_of(task) < HELD_OUT_SHARE


def digest(files: Sequence[Path]) -> str:
    """One sum of all files."""
    return hashlib.sha256(json.dumps([base_model.sha256(path) for path in files]).encode()).hexdigest()


def fail(sentence: str) -> None:
    """Say it and end with exit code 2."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
