"""A local server that speaks the part of Kaggle's API that the official package (2.2) uses for competitions.

The package knows one address of this machine, http://localhost, and takes no other; requests reach this server as their
HTTP proxy, on a free port. What would leave for the real Kaggle ends here too: CONNECT is refused.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SERVICE = "/api/v1/competitions.CompetitionApiService/"
INTROSPECT = "/api/v1/security.OAuthService/IntrospectToken"
STORAGE, UPLOAD = "/storage/", "/upload/"
USER, KEY, TOKEN = "made-up-user", "0123456789abcdef-made-up", "KGAT_made_up_0123456789abcdef"
Json = dict[str, Any]


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@dataclass
class KaggleServer:
    """What the server has, what it refuses, and what it was asked."""

    slug: str = "made-up-tides"
    metric: str = "Root Mean Squared Error"
    title: str = "Made-up Tides"
    pages: dict[str, str] = field(default_factory=dict)
    archive: bytes = b""
    notebooks_only: bool = False
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Name of a request -> status and message of every answer to it."""
    breaks_after: int | None = None
    """The next download ends after so many bytes."""
    scored_at_look: int = 2
    score: str = "0.12345"
    asked: list[str] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    submissions: list[Json] = field(default_factory=list)
    port: int = 0

    def counts(self) -> Counter[str]:
        """Name of a request -> how often it came."""
        return Counter(self.asked)

    def environment(self) -> dict[str, str]:
        """What leads the official package here."""
        here = f"http://127.0.0.1:{self.port}"
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": here, "https_proxy": here}

    def knows(self, authorization: str) -> bool:
        """Whether somebody is logged in."""
        basic = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        return authorization in (f"Basic {basic}", f"Bearer {TOKEN}")

    def answer(self, name: str, body: Json) -> tuple[int, Json]:
        """Status and answer to a request about competitions."""
        if name in self.refuses:
            status, message = self.refuses[name]
            return status, {"code": status, "message": message}
        if body.get("competitionName") != self.slug:
            return 404, {"code": 404, "message": "Competition not found"}
        found: Json = getattr(self, f"_{name}")(body)
        return 200, found

    def _GetCompetition(self, _: Json) -> Json:  # noqa: N802 - as Kaggle calls it
        return {
            "ref": f"https://www.kaggle.com/competitions/{self.slug}",
            "title": self.title,
            "evaluationMetric": self.metric,
            "isKernelsSubmissionsOnly": self.notebooks_only,
        }

    def _ListCompetitionPages(self, _: Json) -> Json:  # noqa: N802
        return {"pages": [{"name": name, "content": text} for name, text in self.pages.items()]}

    def _StartSubmissionUpload(self, body: Json) -> Json:  # noqa: N802
        assert body["fileName"] == "submission.csv"
        number = len(self.uploads)
        self.uploads.append(b"")
        return {"token": f"blob-{number}", "createUrl": f"http://localhost{UPLOAD}{number}"}

    def _CreateSubmission(self, body: Json) -> Json:  # noqa: N802
        number = int(body["blobFileTokens"].removeprefix("blob-"))
        assert self.uploads[number], "nothing was uploaded"
        ref = 7001 + len(self.submissions)
        self.submissions.append({"ref": ref, "description": body["submissionDescription"], "status": "PENDING"})
        return {"message": "Successfully submitted", "ref": ref}

    def _ListSubmissions(self, _: Json) -> Json:  # noqa: N802
        if self.counts()["ListSubmissions"] >= self.scored_at_look:
            for submission in self.submissions:
                submission |= {"status": "COMPLETE", "publicScore": self.score}
        return {"submissions": list(reversed(self.submissions))}


class _Handler(BaseHTTPRequestHandler):
    script: KaggleServer
    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        path = urlsplit(self.path).path
        name = path.rsplit("/", 1)[-1]
        self.script.asked.append(name)
        if path == INTROSPECT:
            self._say(200, {"active": body.get("token") == TOKEN, "username": USER})
        elif not self.script.knows(self.headers.get("Authorization", "")):
            self._say(401, {"code": 401, "message": "Unauthenticated"})
        elif name == "DownloadDataFiles" and name not in self.script.refuses:
            self._redirect(body["competitionName"])
        elif path.startswith(SERVICE):
            self._say(*self.script.answer(name, body))
        else:
            self._say(404, {"code": 404, "message": "no such service"})

    def do_GET(self) -> None:
        self.script.asked.append("download")
        data = self.script.archive
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if first else 200)
        headers = {"Content-Length": str(len(data) - first), "Accept-Ranges": "bytes", "ETag": '"one"'}
        for header, value in (headers | {"Last-Modified": "Mon, 02 Nov 2026 00:00:00 GMT"}).items():
            self.send_header(header, value)
        self.end_headers()
        cut, self.script.breaks_after = self.script.breaks_after, None
        self.wfile.write(data[first:] if cut is None else data[first:cut])

    def do_PUT(self) -> None:
        number = int(urlsplit(self.path).path.removeprefix(UPLOAD))
        self.script.uploads[number] = self.rfile.read(int(self.headers["Content-Length"]))
        self._say(200, {})

    def do_CONNECT(self) -> None:
        self.send_error(403, "only this machine")

    def _redirect(self, slug: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"http://localhost{STORAGE}{slug}.zip?signature=made-up")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _say(self, status: int, answer: Json) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(script: KaggleServer) -> Iterator[KaggleServer]:
    """The server, on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
