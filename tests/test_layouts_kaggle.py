"""kaggle:SLUG and --submit, by the official package, against a server that speaks its API. Credentials are made up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.kaggle_api import Kaggle, KaggleDown
from agents.kaggle_submit import Submitted, read_submitted, submit
from agents.kaggle_task import fetch, kaggle_slug
from agents.run import app
from grading.base import TaskError
from grading.task import TaskSpec, load_spec
from tests.calls import here, process
from tests.kaggle_server import KEY, TOKEN, USER, KaggleServer, serving, zipped

FILES = {
    "train.csv": b"id,x,y\n1,2,3\n2,3,4\n",
    "test.csv": b"id,x\n3,4\n",
    "sample_submission.csv": b"id,y\n3,0\n",
    "images.zip": zipped({"1.png": b"1", "2.png": b"2"}),
}
PAGES = {"description": "Predict the tides.", "evaluation": "By the Mean Absolute Error.", "rules": "Be kind."}
DELIVERY = {"estimate": 0.5, "low": 0.4, "high": 0.6}
REPORT: dict[str, Any] = {"valid": True, "task": {"metric": "rmse"}, "delivery": DELIVERY}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """The server, with the official package led to it and nothing of this machine's own credentials in sight."""
    for name in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with serving(KaggleServer(archive=zipped(FILES), pages=PAGES)) as script:
        login = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY, "HOME": str(tmp_path / "home")}
        for name, value in (script.environment() | login).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield script


def get(server: KaggleServer, said: list[str] | None = None) -> Path:
    """The folder of the server's competition."""
    return fetch(server.slug, (said if said is not None else []).append, quiet=True)


def a_run(tmp_path: Path, server: KaggleServer) -> tuple[Path, TaskSpec]:
    """A finished run of the server's competition."""
    run = tmp_path / "run"
    run.mkdir(exist_ok=True)
    (run / "submission.csv").write_text("id,y\n3,1\n")
    data = tmp_path / "public"
    data.mkdir(exist_ok=True)
    return run, TaskSpec.model_validate({"data": data, "metric": "rmse", "kaggle": server.slug})


def test_a_competition_is_downloaded_once_and_is_a_task(server: KaggleServer) -> None:
    said: list[str] = []
    folder = get(server, said)
    assert folder == Path("data/kaggle/made-up-tides")
    assert "downloading 'Made-up Tides'" in said[0]
    files = sorted(path.relative_to(folder).as_posix() for path in (folder / "data").rglob("*") if path.is_file())
    assert files == [
        "data/images/1.png", "data/images/2.png", "data/sample_submission.csv", "data/test.csv", "data/train.csv",
    ]  # fmt: skip
    spec = load_spec(folder)
    assert (spec.name, spec.kaggle, spec.metric.name) == ("made-up-tides", "made-up-tides", "rmse")
    assert spec.metric.why == 'because Kaggle calls it "Root Mean Squared Error"'
    assert "Predict the tides." in spec.description
    assert "Be kind." not in spec.description
    assert get(server, said) == folder
    assert "downloaded before" in said[1]
    assert server.counts()["DownloadDataFiles"] == 1


def test_a_metric_that_kaggle_calls_otherwise_is_left_to_the_description(server: KaggleServer) -> None:
    server.metric = "Tidal Score v2"
    folder = get(server)
    assert "metric" not in (folder / "task.yaml").read_text()
    assert 'Kaggle calls the metric "Tidal Score v2".' in (folder / "description.md").read_text()


def test_a_competition_without_pages_is_a_task_too(server: KaggleServer) -> None:
    server.refuses["ListCompetitionPages"] = (404, "not offered")
    assert load_spec(get(server)).metric.name == "rmse"


def test_a_download_that_breaks_off_goes_on(server: KaggleServer) -> None:
    server.breaks_after = 100
    assert (get(server) / "data/train.csv").read_bytes() == FILES["train.csv"]
    assert server.counts()["download"] == 2


def test_a_token_is_a_credential_too(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert get(server).is_dir()
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_expired")
    with pytest.raises(TaskError, match=r"KAGGLE_API_TOKEN.*kaggle\.json"):
        Kaggle()


def test_without_credentials_one_sentence_says_where_they_belong(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KAGGLE_KEY")
    with pytest.raises(TaskError, match=r"no credentials .* KAGGLE_API_TOKEN"):
        get(server)
    assert capfd.readouterr().out == ""
    assert not (Path("data/kaggle") / server.slug / "task.yaml").exists()


@pytest.mark.parametrize(
    ("request_", "status", "kind", "wanted"),
    [
        ("GetCompetition", 401, TaskError, "no credentials that it accepts"),
        ("GetCompetition", 403, TaskError, r"https://www\.kaggle\.com/competitions/made-up-tides/rules"),
        ("DownloadDataFiles", 403, TaskError, r"https://www\.kaggle\.com/competitions/made-up-tides/rules"),
        ("GetCompetition", 404, TaskError, "there is no such competition"),
        ("GetCompetition", 400, TaskError, r"refuses the request \(400\): because"),
        ("GetCompetition", 429, KaggleDown, "later"),
        ("DownloadDataFiles", 503, KaggleDown, "trouble itself"),
    ],
)
def test_what_kaggle_refuses_is_one_sentence_with_its_remedy(
    server: KaggleServer, request_: str, status: int, kind: type[Exception], wanted: str
) -> None:
    server.refuses[request_] = (status, "because")
    with pytest.raises(kind, match=wanted) as fault:
        get(server)
    assert "\n" not in str(fault.value)
    assert not (Path("data/kaggle") / server.slug / "task.yaml").exists()
    server.refuses.clear()
    assert load_spec(get(server)).name == server.slug, "the next call goes on"


def test_no_network_is_one_sentence(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(KaggleDown, match="see to the network or the proxy"):
        get(server)


def test_a_full_disk_is_one_sentence(server: KaggleServer, tmp_path: Path) -> None:
    with pytest.raises(KaggleDown, match="has no room for them"):
        Kaggle(reserve=2**60).download(server.slug, tmp_path / "all.zip", quiet=True)
    Path("data").write_text("a file where the folder should be")
    with pytest.raises(KaggleDown, match=r"kaggle:made-up-tides: .*the room on its disk"):
        get(server)


@pytest.mark.parametrize("name", ["kaggle:", "kaggle:../evil", "kaggle:a/b", "kaggle:https://www.kaggle.com/c/titanic"])
def test_a_wrong_name_of_a_competition_is_one_sentence(name: str) -> None:
    with pytest.raises(TaskError, match="last part of the address"):
        kaggle_slug(Path(name))


def test_a_submission_is_sent_once_with_our_estimate_and_its_score_is_shown(
    server: KaggleServer, tmp_path: Path
) -> None:
    run, spec = a_run(tmp_path, server)
    said: list[str] = []
    sent = submit(run, spec, REPORT, said.append, wait=1)
    assert server.uploads == [b"id,y\n3,1\n"]
    [submission] = server.submissions
    assert "expected rmse 0.5 (95 %: 0.4 to 0.6)" in submission["description"]
    assert (sent.state, sent.public_score) == ("complete", "0.12345")
    assert "the public score on Kaggle is 0.12345" in said[-1]
    again = submit(run, spec, REPORT, said.append, wait=1)
    assert again == sent
    assert any("was sent to made-up-tides before" in line for line in said)
    assert len(server.submissions) == 1
    (run / "submission.csv").write_text("id,y\n3,2\n")
    submit(run, spec, REPORT, said.append, wait=1)
    assert len(server.submissions) == 2
    assert len(read_submitted(run)) == 2


def test_a_score_that_is_late_is_seen_by_the_next_call(server: KaggleServer, tmp_path: Path) -> None:
    run, spec = a_run(tmp_path, server)
    server.scored_at_look = 1000
    said: list[str] = []
    assert submit(run, spec, REPORT, said.append, wait=0.2).state == "pending"
    assert "has not scored it yet" in said[-1]
    server.scored_at_look = 0
    assert submit(run, spec, REPORT, said.append, wait=0.2).public_score == server.score
    assert len(server.submissions) == 1


def test_a_kill_while_it_is_sent_sends_it_not_twice(server: KaggleServer, tmp_path: Path) -> None:
    run, spec = a_run(tmp_path, server)
    sent = submit(run, spec, REPORT, print, wait=1)
    unsure = replace(sent, state="sending", ref=0, public_score="")  # as written before the request went out
    (run / "submitted.json").write_text(json.dumps([vars(unsure)]))
    assert submit(run, spec, REPORT, print, wait=1).state == "complete"
    assert len(server.submissions) == 1
    server.submissions.clear()  # and where it never arrived
    (run / "submitted.json").write_text(json.dumps([vars(unsure)]))
    submit(run, spec, REPORT, print, wait=1)
    assert len(server.submissions) == 1


def test_what_is_not_valid_or_has_no_competition_is_not_sent(server: KaggleServer, tmp_path: Path) -> None:
    run, spec = a_run(tmp_path, server)
    with pytest.raises(TaskError, match="no valid submission"):
        submit(run, spec, REPORT | {"valid": False}, print)
    with pytest.raises(TaskError, match=r"add `kaggle: SLUG`"):
        submit(run, spec.model_copy(update={"kaggle": None}), REPORT, print)
    server.notebooks_only = True
    with pytest.raises(TaskError, match="takes notebooks only"):
        submit(run, spec, REPORT, print)
    assert not server.uploads
    assert not (run / "submitted.json").exists()


def test_a_refused_submission_is_sent_by_the_next_call(server: KaggleServer, tmp_path: Path) -> None:
    run, spec = a_run(tmp_path, server)
    server.refuses["CreateSubmission"] = (403, "no")
    with pytest.raises(TaskError, match="rules"):
        submit(run, spec, REPORT, print, wait=1)
    server.refuses.clear()
    assert submit(run, spec, REPORT, print, wait=1).state == "complete"


def test_no_secret_is_written_anywhere(server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERBOSE", "true")
    run, spec = a_run(tmp_path, server)
    get(server)
    submit(run, spec, REPORT, print, wait=1)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_the_command_ends_with_one_sentence_and_its_exit_code(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in a process of its own: the package logs in, and may say so, when it is imported for the first time."""
    unknown = here(app, "kaggle:made-up-hills", folder=Path.cwd())
    assert (unknown.returncode, "there is no such competition" in unknown.stderr) == (2, True)
    monkeypatch.setenv("VERBOSE", "true")
    server.refuses["GetCompetition"] = (500, "broken")
    down = process("agents.run", "kaggle:made-up-tides", folder=Path.cwd())
    assert (down.returncode, "has trouble itself (500)" in down.stderr) == (3, True)
    assert KEY not in unknown.stdout + unknown.stderr + down.stdout + down.stderr
    assert all(len(done.stderr.strip().splitlines()) == 1 for done in (unknown, down))


def test_submit_without_a_competition_is_found_before_anything_runs(tmp_path: Path) -> None:
    done = here(app, "examples/co2", "--submit", "--out", tmp_path / "run")
    assert (done.returncode, "add `kaggle: SLUG`" in done.stderr) == (2, True)
    assert not (tmp_path / "run").exists()


def test_the_record_of_what_was_sent_is_read_back(tmp_path: Path) -> None:
    assert read_submitted(tmp_path) == []
    (tmp_path / "submitted.json").write_text("[{]")
    with pytest.raises(TaskError, match="not known what was sent"):
        read_submitted(tmp_path)
    entry = Submitted("made-up-tides", "0" * 64, "hello")
    (tmp_path / "submitted.json").write_text(json.dumps([vars(entry)]))
    assert read_submitted(tmp_path) == [entry]
