"""`hf:` models: a tiny random one, in the process that large ones live in too. Needs `make ranker`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from models.local import NO_TEXT, ChildDied, ContextTooLong, LocalChat, LocalModelError

pytestmark = pytest.mark.local
ROOT = Path(__file__).resolve().parent.parent
SECRET = "sk-only-for-the-parent"
LONG = 8_000
"""Tokens that take a tiny model much longer than a test waits."""


@dataclass(frozen=True)
class Tiny:
    """Where the model is."""

    folder: str
    adapter: str


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    made = tmp_path_factory.mktemp("tiny")
    command = [sys.executable, "-m", "tests.tiny_model", f"{made}/model", "--adapter", f"{made}/adapter"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"no tiny model; run `make ranker`: {done.stderr[-2000:]}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        environment.setenv("OPENAI_API_KEY", SECRET)
        yield Tiny(str(made / "model"), str(made / "adapter"))


@pytest.fixture(scope="module")
def chat(tiny: Tiny) -> Iterator[LocalChat]:
    chat = LocalChat(folder=tiny.folder, max_tokens=24)
    yield chat
    chat.close()


def test_a_stream_adds_up_to_the_answer_and_ends_with_its_cost(chat: LocalChat) -> None:
    pieces = list(chat.stream([("system", "Be brief."), ("user", "héllo ☃")]))
    whole = chat.invoke([("system", "Be brief."), ("user", "héllo ☃")])
    assert len(pieces) > 10
    assert "".join(str(piece.text) for piece in pieces) == whole.text
    last: Any = pieces[-1]
    assert isinstance(last, AIMessageChunk)
    # One token a byte; the template takes no system turn, so both turns become one.
    prompt = len("user: Be brief.\n\nhéllo ☃assistant: ".encode()) + 3
    assert last.usage_metadata == {"input_tokens": prompt, "output_tokens": 24, "total_tokens": prompt + 24}
    assert last.response_metadata == {"finish_reason": "length", "model_name": f"hf:{chat.folder}"}


def test_what_a_call_binds_wins_and_a_seed_repeats(chat: LocalChat) -> None:
    sampled = chat.bind(temperature=1.0, max_tokens=12)
    first, again, other = (sampled.invoke("hi", seed=seed).text for seed in (3, 3, 4))
    assert first == again != other
    assert len(first) <= 12


def test_an_answer_ends_before_a_stop(chat: LocalChat) -> None:
    whole = str(chat.invoke("hi").text)
    cut = chat.invoke("hi", stop=[whole[5:8], "never said"])
    assert cut.text == whole[: whole.index(whole[5:8])]
    assert cut.response_metadata["finish_reason"] == "stop"


def test_a_picture_is_said_to_be_left_out(chat: LocalChat) -> None:
    picture = {"type": "image", "base64": "aaaa", "mime_type": "image/png"}
    shown: Any = chat.invoke([HumanMessage([{"type": "text", "text": "look"}, picture])])
    told: Any = chat.invoke(f"look\n{NO_TEXT}")
    assert shown.usage_metadata == told.usage_metadata


def test_a_prompt_leaves_room_or_is_refused(chat: LocalChat) -> None:
    context = chat.start().context
    pid = chat.pid
    frame = len("user: assistant: ") + 3
    fitting: Any = chat.invoke("a" * (context - frame - 70), max_tokens=500)
    assert fitting.usage_metadata["total_tokens"] == context
    assert fitting.response_metadata["finish_reason"] == "length"
    with pytest.raises(ContextTooLong, match=f"{context:,}.*shorten the prompt"):
        chat.invoke("a" * (context - frame - 60), max_tokens=500)
    assert chat.pid == pid


def test_the_process_sees_no_key(chat: LocalChat) -> None:
    chat.start()
    seen = Path(f"/proc/{chat.pid}/environ").read_bytes().decode()
    names = {line.partition("=")[0] for line in seen.split("\0") if line}
    assert SECRET not in seen
    assert names <= {
        *("PATH", "HOME", "LANG", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"),
        *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    }


def test_a_process_that_is_killed_is_replaced(chat: LocalChat) -> None:
    stream = chat.stream("hi", max_tokens=LONG)
    next(stream)
    os.kill(chat.pid or 0, signal.SIGKILL)
    with pytest.raises(ChildDied, match="signal 9"):
        list(stream)
    assert chat.pid is None
    assert chat.invoke("hi").text


def test_an_answer_that_nobody_reads_is_stopped(chat: LocalChat) -> None:
    chat.start()
    process = psutil.Process(chat.pid)
    stream = chat.stream("hi", max_tokens=LONG)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not process.is_running()


def test_an_adapter_changes_the_answer(tiny: Tiny, chat: LocalChat) -> None:
    adapted = LocalChat(folder=tiny.folder, adapter=tiny.adapter, max_tokens=24)
    try:
        answer = adapted.invoke("hi")
    finally:
        adapted.close()
    assert answer.response_metadata["model_name"] == f"hf:{tiny.folder}+{tiny.adapter}"
    assert answer.text != chat.invoke("hi").text


def test_a_model_without_template_gets_plain_text_and_may_end(tiny: Tiny, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path, "generation_config.json", {"eos_token_id": list(range(258))})
    (folder / "chat_template.jinja").unlink()
    chat = LocalChat(folder=str(folder))
    try:
        answer: Any = chat.invoke("hi")
    finally:
        chat.close()
    assert answer.usage_metadata["input_tokens"] == len("user: hi\nassistant:")
    assert answer.usage_metadata["output_tokens"] == 1
    assert answer.response_metadata["finish_reason"] == "stop"


def test_code_in_a_model_folder_is_not_run(tiny: Tiny, tmp_path: Path) -> None:
    remote = {"model_type": "strange", "auto_map": {"AutoConfig": "strange.Config", "AutoModel": "strange.Model"}}
    folder = _copy(tiny, tmp_path, "config.json", remote)
    (folder / "strange.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    chat = LocalChat(folder=str(folder))
    with pytest.raises(LocalModelError, match="contains custom code"):
        chat.start()
    assert chat.pid is None
    assert not (tmp_path / "ran").exists()


def test_the_process_ends_with_its_parent(tiny: Tiny) -> None:
    script = (
        "import sys; from models.local import LocalChat\n"
        f"chat = LocalChat(folder=sys.argv[1], max_tokens={LONG})\n"
        "for _ in chat.stream('hi'): print(chat.pid, 'torch' in sys.modules, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", script, tiny.folder], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid, has_torch = parent.stdout.readline().split()
        child = psutil.Process(int(pid))
        parent.kill()
    assert has_torch == b"False"
    assert _gone(child, seconds=5)


def _copy(tiny: Tiny, to: Path, name: str, changes: Mapping[str, object]) -> Path:
    """The model's folder with one of its JSON files changed."""
    folder = Path(shutil.copytree(tiny.folder, to / "copy"))
    settings = json.loads((folder / name).read_text()) | dict(changes)
    (folder / name).write_text(json.dumps(settings))
    return folder


def _gone(process: psutil.Process, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False
