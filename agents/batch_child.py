"""`python -m agents.batch_child PARENT ARGUMENTS...`: `agents.run` that ends with the process that started it.

Where the process PARENT is gone (killed, or its machine's batch was), nobody waits for this run: it stops cleanly, and
the same batch goes on with it later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from agents.run import app

EVERY_S = 1.0
GRACE_S = 60.0
"""So long a stop may take; then the process ends as if it were killed, which a run survives too."""


def main() -> None:
    """Watch the parent and run."""
    parent = int(sys.argv.pop(1))
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    app()


def end_with(parent: int) -> None:
    """Stop this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
