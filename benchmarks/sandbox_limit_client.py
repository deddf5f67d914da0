"""In the container: a kernel, a client, nothing else. Cells come as frames (`sandbox.frames`); statuses go back so.

`quick` starts the kernel as our relay does (before its own imports, without a debugger that nobody attaches) and sends
the first cell before the kernel listens: little that uses ipykernel could be quicker. `plain` is what jupyter_client
does by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

NOTHING = subprocess.DEVNULL
FILE = "/tmp/connection.json"
LAUNCH = "import sys; sys.modules['debugpy'] = None; from ipykernel import kernelapp; kernelapp.launch_new_instance()"
OPTIONS = ["--HistoryManager.enabled=False", "--IPKernelApp.log_level=40"]
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


def start_quick() -> Any:
    """A client whose kernel is still starting."""
    connection = {"transport": "ipc", "ip": "/tmp/socket", "key": "key", "signature_scheme": "hmac-sha256"}
    ports = {f"{name}_port": number for number, name in enumerate(CHANNELS, 1)}
    with open(FILE, "w") as file:
        json.dump(connection | ports | {"kernel_name": ""}, file)
    subprocess.Popen([sys.executable, "-c", LAUNCH, "-f", FILE, *OPTIONS], stdin=NOTHING, stdout=NOTHING)
    from jupyter_client.blocking.client import BlockingKernelClient  # noqa: PLC0415 - while the kernel loads

    client = BlockingKernelClient(connection_file=FILE)
    client.load_connection_file()
    client.start_channels(iopub=False, stdin=False, hb=False, control=False)
    return client


def start_plain() -> Any:
    """A client whose kernel has answered."""
    from jupyter_client.manager import KernelManager  # noqa: PLC0415 - the quick one must not load it

    manager: Any = KernelManager(transport="ipc", ip="/tmp/socket", connection_file=FILE)
    manager.start_kernel(stdin=NOTHING, stdout=NOTHING)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    return client


def main() -> None:
    """Answer to one cell after the other until stdin ends."""
    client = start_quick() if sys.argv[1] == "quick" else start_plain()
    code = sys.argv[2]
    while code:
        asked = client.execute(code)
        reply = client.get_shell_msg()
        while reply["parent_header"].get("msg_id") != asked:
            reply = client.get_shell_msg()
        send({"status": reply["content"]["status"]})
        code = receive()


def send(message: dict[str, str]) -> None:
    body = json.dumps(message).encode()
    sys.stdout.buffer.write(len(body).to_bytes(4, "big") + body)
    sys.stdout.buffer.flush()


def receive() -> str:
    """The next cell; nothing when stdin ends."""
    header = sys.stdin.buffer.read(4)
    return str(json.loads(sys.stdin.buffer.read(int.from_bytes(header, "big")))["code"]) if header else ""


if __name__ == "__main__":
    main()
