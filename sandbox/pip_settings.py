"""How pip reaches its index on this host, handed to the image build: certificates, index urls, time-out.

Only the build's first stage sees them; nothing of it is in the final image.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

URL_KEYS = ("index-url", "extra-index-url")
TEXT_KEYS = ("trusted-host", "timeout", "default-timeout")
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CA_IN_BUILD = "/build/ca.crt"


def pip_files() -> dict[str, bytes]:
    """`pip.conf` and `ca.crt` for the build context; empty where the host has nothing to say."""
    settings = host_settings()
    certificates = _certificates(settings, os.environ)
    lines = [f"{key} = {value}" for key, value in portable(settings).items()]
    if certificates:
        lines.append(f"cert = {CA_IN_BUILD}")
    files = {"pip.conf": "\n".join(["[global]", *lines, ""]).encode()} if lines else {}
    return files | ({"ca.crt": certificates.read_bytes()} if certificates else {})


def host_settings() -> dict[str, str]:
    """pip's settings here, files and environment together (the environment is listed last and wins)."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return parse_settings(done.stdout)


def parse_settings(text: str) -> dict[str, str]:
    """Read lines such as `global.index-url='http://...'`; a later section's value replaces an earlier one's.

    >>> parse_settings(":env:.cert='/a'\\nglobal.cert='/b'\\nglobal.timeout='9'")
    {'cert': '/a', 'timeout': '9'}
    """
    found: dict[str, str] = {}
    for line in sorted(text.splitlines(), key=lambda item: item.startswith(":env:")):
        key, separator, value = line.partition("=")
        if separator and value[:1] in "'\"":
            found[key.rsplit(".", 1)[-1]] = str(ast.literal_eval(value))
    return found


def portable(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that mean the same in a container: web addresses and plain values, no local folders."""
    urls = {key: _web(settings.get(key, "")) for key in URL_KEYS}
    return {key: value for key, value in urls.items() if value} | {
        key: settings[key] for key in TEXT_KEYS if key in settings
    }


def _web(words: str) -> str:
    return " ".join(word for word in words.split() if word.startswith(("http://", "https://")))


def _certificates(settings: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """The CA bundle that pip is told to use here, or that this host's programs are."""
    for name in (settings.get("cert"), *(environment.get(variable) for variable in CA_VARIABLES)):
        if name and Path(name).is_file():
            return Path(name)
    return None
