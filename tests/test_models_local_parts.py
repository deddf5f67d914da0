"""`hf:` models without a model: what is missing, how text comes in pieces, what the frames say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.local import LocalChat, LocalModelError
from models.local_child import failure
from models.local_text import Speaker, alternating, plain

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("files", "adapter_files", "says"),
    [
        (None, None, r"the folder \S+/model does not exist"),
        ([], None, r"/model has no config\.json"),
        (["config.json", "model.safetensors"], None, r"/model has no tokenizer"),
        (["config.json", "tokenizer.json", "pytorch_model.bin"], None, r"/model has no model\*\.safetensors"),
        (
            ["config.json", "tokenizer.json", "model.safetensors", "adapter_config.json", "adapter_model.bin"],
            None,
            r"/model has no adapter_model\.safetensors",
        ),
        (["config.json", "tokenizer.json", "model.safetensors"], [], r"/adapter has no adapter_config\.json"),
        (
            ["config.json", "tokenizer.json", "model.safetensors"],
            ["adapter_config.json", "adapter_model.bin"],
            r"/adapter has no adapter_model\.safetensors",
        ),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, files: Sequence[str] | None, adapter_files: Sequence[str] | None, says: str
) -> None:
    folder, adapter = _folder(tmp_path / "model", files), _folder(tmp_path / "adapter", adapter_files)
    chat = LocalChat(folder=folder, adapter=None if adapter_files is None else adapter)
    with pytest.raises(LocalModelError, match=says) as raised:
        chat.start()
    assert str(raised.value).endswith(".")
    assert chat.pid is None


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(LocalModelError) as raised:
        LocalChat(folder=".").start()
    assert str(raised.value) == "hf: models need torch, transformers and peft: run `make ranker`."


def test_what_libraries_print_does_not_come_among_the_frames() -> None:
    script = (
        "import os; from sandbox.frames import own_pipes, write_frame\n"
        "source, sink = own_pipes(); print('noise', flush=True); os.write(1, b'noise')\n"
        "write_frame(sink, {'input': input.__name__, 'stdin': open(0).read()})"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, input=b"x", check=True)
    assert json.loads(done.stdout[4:]) == {"input": "input", "stdin": ""}
    assert b"noise\nnoise" in done.stderr


class Bytes:
    """A tokenizer: a token a byte."""

    def decode(self, ids: Sequence[int], **_: object) -> str:
        return bytes(ids).decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("said", "stops", "pieces"),
    [
        ("aé☃".encode(), [], ["a", "é", "☃"]),
        (b"a\xff\xff\xff\xff", [], ["a", "\ufffd" * 4]),
        ("a☃".encode()[:3], [], ["a", "\ufffd"]),
        (b"a<b<end>c", ["<end>"], ["a", "<b"]),
        (b"a<en", ["<end>"], ["a", "<en"]),
    ],
)
def test_text_is_said_as_soon_as_it_is_certain(said: bytes, stops: list[str], pieces: list[str]) -> None:
    heard: list[object] = []
    speaker = Speaker(Bytes(), stops, lambda frame: heard.append(frame["text"]))
    for token in said:
        speaker.hear([token])
    speaker.end()
    assert heard == pieces
    assert speaker.stopped == ("<end>" in said.decode("utf-8", "replace"))


def test_conversations_for_models_that_have_no_form_of_their_own() -> None:
    turns = [("system", "S"), ("user", "A"), ("user", "B"), ("assistant", "C"), ("user", "D")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert plain(messages).endswith("user: B\nassistant: C\nuser: D\nassistant:")
    assert [(turn["role"], turn["content"]) for turn in alternating(messages)] == [
        ("user", "S\n\nA\n\nB"),
        ("assistant", "C"),
        ("user", "D"),
    ]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory"),
        (ValueError("no such thing\n\nand much more"), "other"),
    ],
)
def test_a_lack_of_memory_is_told_from_other_faults(error: Exception, kind: str) -> None:
    said = failure(error)
    assert said["kind"] == kind
    assert "\n" not in str(said["error"])


def _folder(path: Path, files: Sequence[str] | None) -> str:
    """A folder of empty files; not even made for None."""
    if files is not None:
        path.mkdir()
        for name in files:
            (path / name).touch()
    return str(path)
