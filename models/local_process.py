"""The process of a local model, seen from outside: what it needs, how it is started, how it fails.

LocalModelError     the model cannot be used: what is missing, or what its libraries said
├── ContextTooLong  the prompt leaves no room for an answer
├── OutOfMemory     the machine is too small for the model, or for this prompt
└── ChildDied       its process ended; the next call starts a new one
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from sandbox.frames import FrameError, read_frame, write_frame

LIBRARIES = ("torch", "transformers", "peft")
STDERR_KEPT = 8_192
"""Bytes of the process's last words that are kept."""
END_SECONDS = 2.0
"""How long a process that has closed its stdout may take to end."""
_ROOT = Path(__file__).resolve().parent.parent
_PASSED = ("PATH", "HOME", "LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
_TOKENIZERS = ["tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "*.tiktoken", "tekken.*"]
_MODEL_FILES = (
    (["config.json"], "has no config.json; name the folder of a Hugging Face model, as save_pretrained writes it."),
    (_TOKENIZERS, "has no tokenizer; copy the files of the model's tokenizer into it, tokenizer.json at least."),
    (["model*.safetensors"], "has no model*.safetensors and no other weights are loaded; convert them to safetensors."),
)
_ADAPTER_FILES = (
    (["adapter_config.json"], "has no adapter_config.json; name the folder of a PEFT adapter."),
    (["adapter_model.safetensors"], "has no adapter_model.safetensors and no other weights are loaded; convert them."),
)


class LocalModelError(RuntimeError):
    """A local model cannot be used. The text is one sentence with the remedy."""


class ContextTooLong(LocalModelError):
    """The prompt leaves no room for an answer."""


class OutOfMemory(LocalModelError):
    """The machine has too little memory."""


class ChildDied(LocalModelError):
    """The model's process ended."""


@dataclass(frozen=True)
class Ready:
    """What a model that is in memory says of itself."""

    context: int
    """Tokens of prompt and answer together."""
    device: str
    """"cpu" or "cuda"."""
    four_bit: bool
    """Whether its weights are held in 4 bits."""


def check_libraries(libraries: Sequence[str] = LIBRARIES) -> None:
    """Look for what local models need, without importing it. Raises: LocalModelError."""
    if not all(importlib.util.find_spec(library) for library in libraries):
        raise LocalModelError("hf: models need torch, transformers and peft: run `make ranker`.")


def check_files(folder: str, adapter: str | None) -> None:
    """Look for the files of a model. Raises: LocalModelError."""
    _check(folder, _MODEL_FILES)
    if (Path(folder) / "adapter_config.json").exists():  # transformers loads an adapter that lies in a model's folder
        _check(folder, _ADAPTER_FILES)
    if adapter is not None:
        _check(adapter, _ADAPTER_FILES)


def _check(folder: str, wanted: Sequence[tuple[Sequence[str], str]]) -> None:
    if not Path(folder).is_dir():
        raise LocalModelError(f"hf: the folder {folder} does not exist; name one on this machine.")
    for patterns, lack in wanted:
        if not any(any(Path(folder).glob(pattern)) for pattern in patterns):
            raise LocalModelError(f"hf: the folder {folder} {lack}")


def child_environment() -> dict[str, str]:
    """What of this process's environment the model's sees: no keys, and no way to a hub."""
    return {key: os.environ[key] for key in _PASSED if key in os.environ} | _OFFLINE


class Child:
    """One process that speaks frames, as models/local_child.py. One thread talks with it; `end` may come from any."""

    def __init__(self, name: str, module: str = "models.local_child") -> None:
        self._name = name
        # A session of its own: Ctrl-C is for the parent, whose end closes stdin, which ends the child.
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=_ROOT,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._stdin, self._stdout = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._words = bytearray()
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        self.ready: Ready | None = None
        """Set by `load`."""

    @property
    def pid(self) -> int | None:
        """Its id; None once it has ended."""
        return self._process.pid if self._process.poll() is None else None

    def load(self, folder: str, adapter: str | None) -> Ready:
        """Load a model, once. Raises: LocalModelError, OutOfMemory, ChildDied."""
        if self.ready is None:
            self.send({"folder": os.path.abspath(folder), "adapter": adapter and os.path.abspath(adapter)})
            said = self.receive()
            self.ready = Ready(said["context"], said["device"], said["four_bit"])
        return self.ready

    def send(self, message: Mapping[str, object]) -> None:
        """Write one frame. Raises: ChildDied."""
        try:
            write_frame(self._stdin, message)
        except (OSError, ValueError) as error:  # ValueError: `end` has closed it
            raise self._died() from error

    def receive(self) -> dict[str, Any]:
        """The next frame. Raises: ChildDied; LocalModelError, ContextTooLong, OutOfMemory (the frame says so)."""
        try:
            frame = read_frame(self._stdout)
        except (FrameError, OSError, ValueError) as error:
            raise self._died() from error
        if frame is None:
            raise self._died()
        if "error" in frame:
            raise self._failure(frame["error"], frame["kind"])
        return frame

    def end(self) -> None:
        """Kill it and free its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout):
            try:
                pipe.close()
            except OSError:
                pass  # what was still to be sent has no reader any more

    def _listen(self, stderr: IO[bytes]) -> None:
        with stderr:
            while words := os.read(stderr.fileno(), 4_096):
                self._words[:] = (self._words + words)[-STDERR_KEPT:]

    def _failure(self, text: str, kind: str) -> LocalModelError:
        if kind == "context":
            return ContextTooLong(f"{self._name}: {text}; shorten the prompt or choose a model with a longer context.")
        if kind == "memory":
            return OutOfMemory(f"{self._name} ran out of memory ({text}); choose a smaller model or a shorter prompt.")
        return LocalModelError(f"{self._name} failed ({text}); check that transformers can run this model.")

    def _died(self) -> ChildDied:
        try:
            code = self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:  # it sent what is no frame, or hangs in its end
            self._process.kill()
            code = self._process.wait()
        self._listener.join(timeout=END_SECONDS)
        words = self._words.decode("utf-8", "replace").split("\n")
        last = next((line.strip()[-300:] for line in reversed(words) if line.strip()), "it said nothing")
        how = f"signal {-code}, often for lack of memory" if code < 0 else f"exit code {code}: {last}"
        return ChildDied(f"{self._name}: its process ended ({how}); ask again, or choose a smaller model.")
