"""Kaggle through its official package: what is asked of it, and what it means when it fails, in one sentence.

The package finds credentials in its own places and keeps them; nothing here reads, shows or stores one. What it prints
on stdout is dropped.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as NotConnected
from requests.exceptions import HTTPError, RequestException
from urllib3.util.retry import Retry

from grading.base import TaskError
from models.secrets import redact

SITE = "https://www.kaggle.com"
SILENCE_S = 60.0
"""A server that sends nothing for so long is given up."""
RESERVE = 2**30
"""Bytes of the disk that are left free."""
MAX_PAGE = 30_000
"""Characters of a page about a competition."""
PAGES = ("description", "evaluation", "data-description")
INSTALL = "pip install 'kaggle>=2.2' six"
"""The package imports six, too, and does not say so (2.2.4)."""
LOUD = ("VERBOSE", "VERBOSE_OUTPUT")
"""Where these are set, the package prints headers, credentials among them, and logs everything of the program."""
CREDENTIALS = (
    f"Kaggle: no credentials that it accepts were found: make a token at {SITE}/settings and put it into the "
    "environment as KAGGLE_API_TOKEN, or into ~/.kaggle/access_token (a kaggle.json in ~/.kaggle does, too)."
)


class KaggleDown(Exception):
    """The machine, the network or Kaggle failed, not the user. The text is one sentence."""


@dataclass(frozen=True)
class About:
    """What Kaggle says of a competition."""

    title: str
    metric: str
    """In Kaggle's words; empty where it does not say."""
    notebooks_only: bool
    """Whether it takes notebooks and no files."""
    pages: dict[str, str]
    """Name -> text, in Markdown or HTML."""


@dataclass(frozen=True)
class Sent:
    """A submission as Kaggle knows it."""

    ref: int
    """0 where Kaggle named none."""
    status: str
    """"pending", "complete" or "error"."""
    public_score: str = ""
    why: str = ""
    """Why it has no score, where Kaggle says so."""


class Kaggle:
    """The official client. Constructing it logs in.

    Every method raises TaskError for what the user can mend (credentials, rules, a name), else KaggleDown.
    """

    def __init__(self, reserve: int = RESERVE) -> None:
        self._reserve = reserve
        with _faults(""), contextlib.redirect_stdout(io.StringIO()):
            self._api = _logged_in()
        self._api.build_kaggle_client = _patient(self._api.build_kaggle_client)

    def about(self, slug: str) -> About:
        """What is known of a competition."""
        with self._asking(slug) as client:
            request = _type("ApiGetCompetitionRequest")()
            request.competition_name = slug
            found = client.get_competition(request)
        pages = self._pages(slug)
        return About(found.title or slug, found.evaluation_metric or "", bool(found.is_kernels_submissions_only), pages)

    def _pages(self, slug: str) -> dict[str, str]:
        """The texts about a competition; one can do without them."""
        try:
            with _faults(slug), contextlib.redirect_stdout(io.StringIO()):
                pages = self._api.competition_list_pages(slug) or []
        except (TaskError, KaggleDown):
            return {}
        return {page.name: page.content[:MAX_PAGE] for page in pages if page and page.name in PAGES and page.content}

    def download(self, slug: str, archive: Path, quiet: bool) -> None:
        """All files of a competition, as the zip archive that Kaggle makes of them; a broken download goes on."""
        with self._asking(slug) as client:
            request = _type("ApiDownloadDataFilesRequest")()
            request.competition_name = slug
            response = client.download_data_files(request)
            size = int(response.headers.get("Content-Length") or 0)
            archive.parent.mkdir(parents=True, exist_ok=True)
            there = archive.stat().st_size if archive.exists() else 0
            if size - there > shutil.disk_usage(archive.parent).free - self._reserve:
                raise _disk_full(slug, archive.parent, size)
            if not (size and there == size and zipfile.is_zipfile(archive)):
                self._api.download_file(response, str(archive), None, quiet, True)
        if not zipfile.is_zipfile(archive):
            archive.unlink()
            raise KaggleDown(
                f"kaggle:{slug}: what Kaggle sent is no zip archive; try it again, or download it by hand."
            )

    def send(self, slug: str, file: Path, message: str) -> int:
        """Send a submission; its reference, 0 where Kaggle names none. Kaggle counts it against the daily limit."""
        with _faults(slug), contextlib.redirect_stdout(io.StringIO()):
            answer = self._api.competition_submit(str(file), message, slug, quiet=True)
        if answer.message == self._api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise KaggleDown(f"--submit: the upload to {slug} broke off, and nothing was submitted; run it again.")
        return int(answer.ref or 0)

    def find(self, slug: str, ref: int, message: str) -> Sent | None:
        """A submission among the latest, by its reference or by its message."""
        with _faults(slug), contextlib.redirect_stdout(io.StringIO()):
            latest = self._api.competition_submissions(slug) or []
        for sent in latest:
            if sent and (sent.ref == ref if ref else sent.description == message):
                status = str(sent.status.name).lower()
                return Sent(int(sent.ref), status, sent.public_score or "", sent.error_description or "")
        return None

    @contextlib.contextmanager
    def _asking(self, slug: str) -> Iterator[Any]:
        """The part of the client that knows competitions."""
        with _faults(slug), contextlib.redirect_stdout(io.StringIO()), self._api.build_kaggle_client() as client:
            yield client.competitions.competition_api_client


def _logged_in() -> Any:
    """The official client, logged in. Importing it logs in, too, and leaves no word of how that went.

    Raises: TaskError without the package or credentials.
    """
    loud = {name: os.environ.pop(name) for name in LOUD if name in os.environ}
    try:
        api = importlib.import_module("kaggle.api.kaggle_api_extended").KaggleApi()
    except ImportError as fault:
        raise TaskError(f"kaggle: the official package is not installed ({fault}); {INSTALL}.") from None
    finally:
        os.environ.update(loud)
    try:
        api.authenticate()
    except SystemExit:
        raise TaskError(CREDENTIALS) from None
    return api


def _type(name: str) -> Any:
    return getattr(importlib.import_module("kagglesdk.competitions.types.competition_api_service"), name)


class _Patient(HTTPAdapter):
    """Waits for a server, but not for ever; the official client sets no time limit of its own."""

    def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]  # passes everything on
        """See HTTPAdapter."""
        return super().send(request, **{**options, "timeout": options.get("timeout") or SILENCE_S})


def _patient(build: Any) -> Any:
    """`build` of the official client, whose sessions wait for SILENCE_S and try a connection three times."""

    def built() -> Any:
        client = build()
        client.__enter__()  # opens the session; entering it again keeps it
        for scheme in ("https://", "http://"):
            retries = Retry(total=2, read=0, status=0, other=0, redirect=5, backoff_factor=0.5)
            client.http_client()._session.mount(scheme, _Patient(max_retries=retries))
        return client

    return built


@contextlib.contextmanager
def _faults(slug: str) -> Iterator[None]:
    """What the client raises, as one sentence with a remedy."""
    try:
        yield
    except TaskError:
        raise
    except HTTPError as fault:
        raise _refused(slug, fault) from None
    except RequestException as fault:
        kind = "cannot be reached" if isinstance(fault, NotConnected) else "broke off"
        raise KaggleDown(
            f"Kaggle {kind} ({type(fault).__name__}): see to the network or the proxy (HTTPS_PROXY), and run it again."
        ) from None
    except OSError as fault:
        if fault.errno == errno.ENOSPC:
            raise KaggleDown(f"kaggle:{slug}: the disk is full; make room and run it again: it goes on.") from None
        raise KaggleDown(f"kaggle:{slug}: {redact(str(fault))}; see to the file and run it again.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise KaggleDown(
            f"Kaggle answered what its package does not understand ({type(fault).__name__}); {INSTALL} --upgrade, "
            f"or try it later."
        ) from None


def _refused(slug: str, fault: HTTPError) -> Exception:
    status = fault.response.status_code if fault.response is not None else 0
    said = " ".join(redact(str(fault)).split())[:300]
    match status:
        case 401:
            return TaskError(CREDENTIALS)
        case 403:
            return TaskError(
                f"kaggle:{slug}: Kaggle refuses access (403): accept the competition's rules at "
                f"{SITE}/competitions/{slug}/rules with the account that the credentials belong to."
            )
        case 404:
            return TaskError(
                f"kaggle:{slug}: there is no such competition; take the last part of the address of its page, "
                f"as in kaggle:titanic for {SITE}/competitions/titanic."
            )
        case 429:
            return KaggleDown("Kaggle: too many requests, or no submissions are left today (429); run it again later.")
        case _ if 400 <= status < 500:
            return TaskError(f"kaggle:{slug}: Kaggle refuses the request ({status}): {said}.")
    return KaggleDown(f"Kaggle has trouble itself ({status}); run it again later.")


def _disk_full(slug: str, folder: Path, size: int) -> KaggleDown:
    return KaggleDown(
        f"kaggle:{slug}: {size / 1e9:.1f} GB are to be downloaded, and {folder.resolve()} has no room for them; make "
        f"room, or start from a folder on a larger disk."
    )
