"""Texts around models: JSON in answers, prompts that are the same, names of models, secrets, models of roles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel

from grading.base import TaskError
from models.answers import read_json
from models.base import ROLES, BadAnswer
from models.chat import Message
from models.names import ModelName, parse_model
from models.normal import difference, fingerprint
from models.secrets import redact
from models.setup import role_models


class Part(BaseModel):
    """A part of an answer."""

    number: int
    words: list[str]


class Form(BaseModel):
    """What is asked for."""

    title: str
    parts: list[Part]


VALUE = Form(title="a } b", parts=[Part(number=1, words=["x"])])
TEXT = VALUE.model_dump_json(indent=1)


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"\n {TEXT} \n",
        f"Here:\n```json\n{TEXT}\n```\nDone {{so to say}}.",
        f"```\n{TEXT}\n```",
        f"   ```JSON\r\n{TEXT}\r\n   ```\r\n",
        f"It is {TEXT}, I think.",
        f"<think>\nNot {{this}}.\n</think>\n{TEXT}",
        f"Not {{this}}.\n</think>\n{TEXT}",
        f'```python\nx = {{}}\n```\n```json\n{{"title": 1}}\n```\n```json\n{TEXT}\n```',
        json.dumps(VALUE.model_dump() | {"more": [1, {"deep": None}]}),
    ],
    ids=["whole", "space", "fenced", "unnamed", "windows", "prose", "thinking", "thought", "several", "extra"],
)
def test_the_object_of_an_answer_is_found(answer: str) -> None:
    assert read_json(answer, Form) == VALUE


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("", "There is no JSON object in it."),
        ("I cannot say.", "There is no JSON object in it."),
        ("[1, 2]", "There is no JSON object in it."),
        ('{"title": "a"}', "parts: Field required"),
        ('{"title": 1, "parts": "x"}', "title: Input should be a valid string; parts: Input should be a valid array"),
        (
            '{"title": "a", "parts": [{"number": "one", "words": [null]}]}',
            "parts.0.number: Input should be a valid int",
        ),
        ('{"title": "a", "parts": [{"number": "one", "words": [null]}]}', "parts.0.words.0: Input should be a valid"),
        ('{"title": "a", "parts": [{}, {}, {}]}', "parts.1.number: Field required and 3 more faults."),
        ('{"title": "a", "parts": [],}', "trailing comma at line 1 column 28"),
        ('{"title": "a",\n "parts": [}', "line 2 column 12"),
        ('{"title": "a", "parts": []}\n{"title": "b", "parts": []}', "trailing characters at line 2"),
        ('{"title": "\ud800", "parts": []}', "unicode"),
        ('{"title": "\\ud800", "parts": []}', "hex escape"),
        ('{"title": ' * 100_000, "recursion limit"),
        ('{"title": "a", "parts": []', "EOF while parsing an object"),
    ],
)
def test_an_answer_that_is_no_such_object_says_what_is_wrong(answer: str, told: str) -> None:
    with pytest.raises(BadAnswer) as raised:
        read_json(answer, Form)
    assert told in str(raised.value)


def messages(text: str, role: str = "user") -> list[Message]:
    """A conversation."""
    return [Message("system", "You are careful."), Message(role, text)]


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ("it took 1.5 seconds and 12 s", "it took 12.25 seconds and 900 s"),
        ("rmse 0.123 (standard error 1e-05, 2.5e-07)", "rmse -4.5 (standard error 1e-05, 1.25)"),
        ("<Frame at 0x7f00aa12>", "<Frame at 0xdeadbeef01>"),
        ("at 2026-01-31T10:00:00.5Z", "at 2025-12-01 23:59:59+01:00"),
        ("pandas 3.1.1, scipy 1.17.1", "pandas 3.2.0rc1, scipy 1.18.0.dev0"),
        ("/tmp/ipykernel_12/34.py", "/tmp/ipykernel_9/1.py"),
        ("first\n  second\n\nthird", "third\nfirst\nsecond  \n"),
    ],
    ids=["times", "scores", "addresses", "dates", "versions", "temporary files", "order of lines"],
)
def test_what_varies_by_itself_makes_no_other_prompt(then: str, now: str) -> None:
    assert fingerprint(messages(then)) == fingerprint(messages(now))


@pytest.mark.parametrize(
    "other", ["use 5 folds\nof train", "use 4 folds", "use 4 folds\nof test", "use 4 folds\nof train\nof train"]
)
def test_other_words_make_another_prompt(other: str) -> None:
    before = fingerprint(messages("use 4 folds\nof train"))
    assert fingerprint(messages(other)) != before
    assert fingerprint(messages("use 4 folds\nof train", "assistant")) != before
    assert fingerprint(messages("use 4 folds\nof train")[1:]) != before


def test_a_difference_names_the_first_line_of_each() -> None:
    assert difference("a\nuse 5 folds\nz 1.5", "z 2.5\nuse 4 folds\na") == ("now 'use 5 folds', recorded 'use 4 folds'")
    assert difference("a\nb", "a") == "now 'b', recorded ''"


@pytest.mark.parametrize(
    ("text", "name", "local"),
    [
        ("none", ModelName("none", "none", ""), True),
        ("openai:gpt-5", ModelName("openai:gpt-5", "openai", "gpt-5"), False),
        ("anthropic:claude", ModelName("anthropic:claude", "anthropic", "claude"), False),
        ("ollama:qwen3:8b", ModelName("ollama:qwen3:8b", "ollama", "qwen3:8b"), True),
        ("openai:org/m@v1@http://[::1]:80/v1", "http://[::1]:80/v1", True),
        ("openai:m@https://localhost/v1", "https://localhost/v1", True),
        ("openai:m@http://127.1.2.3", "http://127.1.2.3", True),
        ("openai:m@http://localhost.example.com/v1", "http://localhost.example.com/v1", False),
        ("ollama:m@http://192.168.0.7:11434", "http://192.168.0.7:11434", False),
    ],
)
def test_names_of_models_are_taken_apart(text: str, name: ModelName | str, local: bool) -> None:
    parsed = parse_model(text)
    assert parsed == name if isinstance(name, ModelName) else parsed.url == name
    assert parsed.local is local


def test_folders_of_models_and_runs(tmp_path: Path) -> None:
    for folder in ("model", "adapter"):
        (tmp_path / folder).mkdir()
    plain, adapted = f"hf:{tmp_path}/model", f"hf:{tmp_path}/model+{tmp_path}/adapter"
    assert parse_model(plain) == ModelName(plain, "hf", f"{tmp_path}/model")
    assert parse_model(adapted) == ModelName(adapted, "hf", f"{tmp_path}/model", adapter=f"{tmp_path}/adapter")
    assert parse_model(f"replay:{tmp_path}").provider == "replay"
    assert parse_model(plain).local
    for lost in ("lost", "model+lost"):
        with pytest.raises(TaskError, match=r"^--model hf:\S+: the folder \S*lost does not exist"):
            parse_model(f"hf:{tmp_path}/{lost}")


@pytest.mark.parametrize(
    "text", ["", "gpt-5", "google:gemini", "openai", "openai:", "openai:@http://h/v1", "none:x", "hf:+a"]
)
def test_what_names_no_model_is_told_with_the_forms(text: str) -> None:
    with pytest.raises(TaskError) as raised:
        parse_model(text, "models.write")
    assert str(raised.value).startswith(f"models.write {text}: is no model; write openai:NAME, ")


@pytest.mark.parametrize(
    "url", ["http://", "http://key@h/v1", "http://u:key@h/v1", "http://h/v1?key=k", "http://[::1/v1"]
)
def test_an_address_holds_no_key(url: str) -> None:
    with pytest.raises(TaskError, match="is no address without a key in it; write openai:NAME@http://host/v1"):
        parse_model(f"openai:m@{url}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a top-secret-value b", "a [secret] b"),
        ("top-secret-value-and-more", "[secret]"),
        ("p4ssw0rd! and hunter22 and spaces-around", "[secret] and [secret] and [secret]"),
        ("short stays, and so does plain-value", "short stays, and so does plain-value"),
        ("Incorrect key sk-proj-abcdefghijklmnop provided", "Incorrect key [secret] provided"),
        ("Authorization: Bearer abcdefghijklmnop.qrst==", "Authorization: [secret]"),
        ("task-specific risk-adjusted sk-learn", "task-specific risk-adjusted sk-learn"),
    ],
)
def test_secrets_are_blanked(text: str, shown: str) -> None:
    environment = {
        "MY_API_KEY": "top-secret-value",
        "HF_TOKEN": "top-secret-value-and-more",
        "db_password": "p4ssw0rd!",
        "SMTP_PASS": "hunter22",
        "AWS_SECRET": " spaces-around\r\n",
        "EMPTY_TOKEN": "",
        "X_KEY": "short",
        "EDITOR": "plain-value",
    }
    assert redact(text, environment) == shown


def test_the_environment_of_the_process_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "abcdefgh")
    assert redact("xabcdefghx") == "x[secret]x"


@pytest.mark.parametrize(
    ("said", "flag", "names"),
    [
        ({}, None, {}),
        ({}, "openai:a", dict.fromkeys(ROLES, "openai:a")),
        ({"default": "openai:a"}, None, dict.fromkeys(ROLES, "openai:a")),
        ({"default": "openai:a"}, "ollama:b", dict.fromkeys(ROLES, "ollama:b")),
        ({"write": "openai:a"}, None, {"write": "openai:a"}),
        ({"write": "openai:a"}, "ollama:b", dict.fromkeys(ROLES, "ollama:b") | {"write": "openai:a"}),
        ({"default": "none", "write": "openai:a"}, None, {"write": "openai:a"}),
        ({"default": "openai:a", "write": "openai:b"}, "none", {}),
    ],
)
def test_a_role_has_its_own_model_or_that_of_all(said: Mapping[str, str], flag: str | None, names: object) -> None:
    assert role_models(said, flag) == names
    without = role_models({"default": "openai:a", "write": "none"}, None)
    assert "write" not in without
    assert len(without) == len(ROLES) - 1


def test_a_replay_stands_for_all_roles(tmp_path: Path) -> None:
    replay = f"replay:{tmp_path}"
    assert role_models({"write": "openai:a"}, replay) == dict.fromkeys(ROLES, replay)
    assert role_models({"default": replay, "write": "openai:a"}, None) == dict.fromkeys(ROLES, replay)
    with pytest.raises(TaskError, match=r"^models\.write: a replay stands for all roles: use --model replay:"):
        role_models({"write": replay}, None)


@pytest.mark.parametrize(
    ("said", "flag", "told"),
    [
        ({"writer": "openai:a"}, None, "models.writer: is no role; the roles are describe, propose, "),
        ({"write": "gpt"}, None, "models.write gpt: is no model"),
        ({"default": "gpt"}, None, "models.default gpt: is no model"),
        ({"default": "openai:a"}, "gpt", "--model gpt: is no model"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(said: Mapping[str, str], flag: str | None, told: str) -> None:
    with pytest.raises(TaskError) as raised:
        role_models(said, flag)
    assert str(raised.value).startswith(told)
