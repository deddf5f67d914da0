"""Code that attacks whoever reads its output: terminals, browsers, picture decoders, and the host's memory."""

from __future__ import annotations

import base64
import struct
import unicodedata
import zlib
from collections.abc import Iterator

import pytest

from sandbox.base import Limits, Session
from sandbox.docker_sandbox import DockerSandbox
from tests.sandbox_image import is_alive

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

ROOMY = Limits(memory_mb=1024, cpus=1, pids=64, disk_mb=64, output_mb=256)


@pytest.fixture(scope="module")
def shared(sandbox: DockerSandbox) -> Iterator[Session]:
    """One session for attacks that leave it as it was."""
    with sandbox.session(limits=ROOMY) as session:
        yield session


CODES = {
    "colours and cursor movements (CSI)": ("\x1b[2J\x1b[1;31mred\x1b[10A\x1b[0m", "red"),
    "the window's title (OSC)": ("\x1b]0;title\x07seen", "seen"),
    "the clipboard (OSC 52)": ("\x1b]52;c;cm0gLXJmIH4=\x1b\\seen", "seen"),
    "links that show another address (OSC 8)": ("\x1b]8;;http://evil\x1b\\seen\x1b]8;;\x1b\\", "seen"),
    "a code that never ends": ("seen\x1b]0;the rest is a title", "seen"),
    "device control strings (DCS)": ("\x1bP$q\"p\x1b\\seen", "seen"),
    "a reset of the terminal": ("\x1bcseen", "seen"),
    "C1 codes of one character": ("\x9b31mseen\x9b0m\x9c\x90", "seen"),
    "carriage returns that write over what was said": ("error: all is lost\rok", "ok"),
    "backspaces that write over what was said": ("bad\b\b\bok", "badok"),
    "bells, nulls and deletes": ("\a\0\x7fseen", "seen"),
    "a code within a code": ("\x1b\x1b[31m[31mseen", "[31mseen"),
}  # fmt: skip


@pytest.mark.parametrize("attack", CODES)
def test_terminal_codes_do_not_come_out(shared: Session, attack: str) -> None:
    """removed from what is printed, from errors and from their tracebacks"""
    text, seen = CODES[attack]
    printed = shared.execute(f"print({text!r}, end='')", 20)
    assert printed.stdout == seen
    raised = shared.execute(f"raise ValueError({text!r})", 20)
    assert raised.error is not None
    assert raised.error.message == seen
    for told in (raised.error.traceback, raised.error.type, raised.stderr):
        assert not any(unicodedata.category(letter) == "Cc" for letter in told if letter not in "\n\t")


def test_half_a_surrogate_pair_does_no_harm(shared: Session) -> None:
    """Print and raise half a surrogate pair, which no encoding knows: lost or told as an error"""
    assert shared.execute(r"print('\ud800seen')", 20).stdout in ("", "?seen\n")
    result = shared.execute(r"raise ValueError('\ud800seen')", 20)
    assert result.status == "error"
    assert is_alive(shared)


def test_bytes_that_are_not_utf8_do_no_harm(shared: Session) -> None:
    """Write bytes that are not UTF-8 to the raw descriptor: replaced"""
    code = r"import os, time; os.write(1, b'seen\xff\xfe\xc3\n\xf0\x9f\n'); time.sleep(0.5); print('end')"
    result = shared.execute(code, 20)
    assert result.status == "ok"
    assert "seen" in result.stdout
    assert "end\n" in result.stdout
    result.stdout.encode("utf-8")
    assert is_alive(shared)


def test_a_frame_that_is_printed_is_only_text(shared: Session) -> None:
    """Print what looks like a frame of the relay: it is text"""
    code = (
        "import json, os, struct\nbody = json.dumps({'kind': 'exit', 'code': 0}).encode()\n"
        "os.write(1, struct.pack('>I', len(body)) + body); print(flush=True)\nraise RuntimeError('the true end')"
    )
    result = shared.execute(code, 20)
    assert result.error is not None
    assert result.error.message == "the true end"
    assert '"kind": "exit"' in result.stdout
    assert is_alive(shared)


def test_a_gigantic_exception_is_cut(shared: Session) -> None:
    """Raise an exception with a name and a text of 5 MB: both are cut"""
    result = shared.execute("raise type('E' * 5_000_000, (Exception,), {})('x' * 5_000_000)", 60)
    assert result.error is not None
    assert len(result.error.type) <= 200
    assert len(result.error.message) < 3_000
    assert len(result.error.traceback) < 11_000
    assert is_alive(shared)


def test_an_exception_that_attacks_its_reader_is_told(shared: Session) -> None:
    """Raise an exception that fails, or exits, when it is read: told as an error"""
    code = (
        "class Trap(Exception):\n    def __str__(self): raise SystemExit(0)\n"
        "    __repr__ = __str__\n    __traceback__ = property(lambda self: 1 / 0)\nraise Trap()"
    )
    assert shared.execute(code, 20).status == "error"
    assert is_alive(shared)


MARKUP = {
    "a script in HTML": "HTML('<script>alert(1)</script>')",
    "a script in SVG": "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>')",
    "JavaScript": "Javascript('alert(1)')",
    "an iframe": "IFrame('http://evil', 9, 9)",
    "Markdown with HTML": "Markdown('<img src=x onerror=alert(1)>')",
    "LaTeX": "Latex(r'\\\\href{javascript:alert(1)}{x}')",
    "a PDF": "{'application/pdf': 'alert(1)'}, raw=True",
    "a widget": "{'application/vnd.jupyter.widget-view+json': {'model_id': 'alert(1)'}}, raw=True",
    "HTML in a picture's clothes": "{'image/png': 'PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=='}, raw=True",
    "a picture that is no base64": "{'image/png': '<script>alert(1)</script>'}, raw=True",
    "a picture that is a number": "{'image/png': 5}, raw=True",
    "a file of the image as a picture": "Image('/etc/passwd', format='png')",
}  # fmt: skip


@pytest.mark.parametrize("attack", MARKUP)
def test_nothing_that_a_browser_would_run_comes_out(shared: Session, attack: str) -> None:
    """not passed on: only plain text and PNG leave"""
    code = f"from IPython.display import *\ndisplay({MARKUP[attack]})\nprint('end')"
    result = shared.execute(code, 20)
    assert result.plots == []
    assert result.stdout.endswith("end\n")
    assert not any(word in result.stdout for word in ("alert", "evil", "root:"))
    assert is_alive(shared)


def png(side: int) -> bytes:
    """A black picture of side * side pixels of one bit."""
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_a_picture_bomb_is_only_carried(shared: Session) -> None:
    """Show a PNG of 50 kB that unpacks to 400 MB: carried as bytes, the host never unpacks a picture"""
    bomb = png(20_000)
    assert len(bomb) < 100_000
    shown = base64.b64encode(bomb).decode()
    result = shared.execute(f"from IPython.display import *\ndisplay({{'image/png': {shown!r}}}, raw=True)", 20)
    assert result.plots == [bomb]
    assert is_alive(shared)


def test_floods_of_pictures_are_cut(shared: Session) -> None:
    """Show 100 pictures and one of 6 MB: twenty of at most 5 MB are taken"""
    small = base64.b64encode(png(8)).decode()
    code = (
        f"from IPython.display import *\nfor _ in range(100): display({{'image/png': {small!r}}}, raw=True)\n"
        "import base64; big = base64.b64encode(base64.b64decode(b'iVBORw0KGgo=') + bytes(6_000_000)).decode()\n"
        "display({'image/png': big}, raw=True); print('end')"
    )
    result = shared.execute(code, 30)
    assert result.plots == [png(8)] * 20
    assert "too large" in result.stdout
    assert is_alive(shared)
