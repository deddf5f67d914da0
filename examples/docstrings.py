"""The docstrings of Python's standard library, labelled with the chapter of its manual (PSF licence)."""

from __future__ import annotations

import importlib
import inspect
import random
from collections.abc import Iterator
from types import ModuleType

ROWS_PER_CHAPTER = 240
SHORTEST, LONGEST = 60, 400
"""Characters of a text; longer ones are cut."""
METHODS = (property, classmethod, staticmethod)

CHAPTERS = {
    "Text Processing": "string re difflib textwrap",
    "Data Types": "datetime zoneinfo calendar collections heapq bisect array weakref types copy pprint reprlib enum",
    "Mathematics": "numbers math cmath decimal fractions random statistics itertools functools operator",
    "Files and Directories": "pathlib fileinput stat filecmp tempfile glob fnmatch linecache shutil posixpath os io",
    "Compression and File Formats": (
        "zlib gzip bz2 lzma zipfile tarfile csv configparser tomllib plistlib pickle shelve"
    ),
    "Concurrent Execution": (
        "threading multiprocessing.pool multiprocessing.managers multiprocessing.context multiprocessing.queues "
        "multiprocessing.shared_memory concurrent.futures concurrent.futures.thread concurrent.futures._base "
        "concurrent.futures.process subprocess sched queue asyncio.base_events asyncio.events asyncio.futures "
        "asyncio.locks asyncio.queues asyncio.streams asyncio.tasks asyncio.taskgroups asyncio.transports "
        "asyncio.protocols asyncio.runners asyncio.timeouts selectors"
    ),
    "Internet": (
        "email.message email.header email.charset email.parser email.policy email._policybase json mailbox mimetypes "
        "base64 html.parser urllib.request urllib.parse urllib.robotparser http.client http.server http.cookies "
        "http.cookiejar ftplib poplib imaplib nntplib smtplib socketserver ssl socket ipaddress xmlrpc.client uuid "
        "xmlrpc.server wsgiref.handlers wsgiref.headers wsgiref.util wsgiref.simple_server"
    ),
    "Development and Debugging": (
        "unittest.case unittest.suite unittest.loader unittest.mock unittest.runner unittest.result doctest pydoc "
        "typing bdb pdb cProfile timeit trace tracemalloc traceback inspect dis ast symtable tokenize logging argparse"
    ),
}
"""Chapter -> modules. The chapters are those of the manual; small neighbours are put together."""


def docstring_rows(seed: int) -> list[tuple[str, str]]:
    """(text, chapter) of functions, classes and methods; each text once, at most ROWS_PER_CHAPTER a chapter."""
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    for chapter, modules in CHAPTERS.items():
        texts = [text for name in modules.split() for text in _texts(importlib.import_module(name))]
        fresh = [text for text in dict.fromkeys(texts) if text not in seen]
        seen.update(fresh)
        rows += [(text, chapter) for text in random.Random(seed).sample(fresh, min(ROWS_PER_CHAPTER, len(fresh)))]
    return rows


def _texts(module: ModuleType) -> Iterator[str]:
    for _, member in sorted(vars(module).items()):
        if getattr(member, "__module__", None) == module.__name__:
            yield from _text(member)
            if inspect.isclass(member):
                for _, method in sorted(vars(member).items()):
                    if inspect.isroutine(method) or isinstance(method, METHODS):
                        yield from _text(method)


def _text(member: object) -> Iterator[str]:
    written = getattr(member, "__doc__", None)
    text = " ".join(written.split())[:LONGEST] if isinstance(written, str) else ""
    if len(text) >= SHORTEST:
        yield text
