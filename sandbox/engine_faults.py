"""What it means when an engine fails, in one sentence with a remedy."""

from __future__ import annotations

import grp
import os

from sandbox.base import LimitsNotEnforced, SandboxError, SandboxLost


def failure(what: str, reason: str) -> SandboxError:
    """What a failed call means, and what helps."""
    told = reason.lower()
    if "no space left" in told or "quota exceeded" in told:
        return SandboxLost(
            f"The container engine's disk is full ({what}: {reason}); make room (`docker system df` shows what takes "
            "it) and run the command again."
        )
    if "select device driver" in told or "nvidia-container" in told:
        return SandboxError(
            f"The container engine cannot lend GPUs ({reason}); install NVIDIA's container toolkit and restart Docker, "
            "or ask for no GPU."
        )
    if "cgroup controller" in told:  # crun, where a rootless engine was not given one
        return LimitsNotEnforced(
            f"The container engine cannot set a limit ({reason}); delegate it, see docs/sandbox.md."
        )
    if "oci runtime" in told:
        return SandboxError(
            f"The container could not be started ({reason}); see that the image is one of ours, and that the runtime "
            "is installed and fits this machine."
        )
    if "timed out" in told:
        return SandboxLost(
            f"The container engine was silent too long while {what}; see what keeps it busy, or restart it."
        )
    return SandboxLost(
        f"The container engine failed while {what} ({reason}); see that it runs (`docker info`) and run this again."
    )


def no_engine(address: str, reason: str) -> str:
    """Why none answers, and what helps."""
    place = address.partition("://")[2]
    if "Permission denied" in reason or "PermissionError" in reason:
        return f"This user may not use the container engine at {address}; {_ask_for_leave(place)}."
    if "timed out" in reason:
        return f"The container engine at {address} does not answer; restart it (`systemctl restart docker`)."
    podman = [f"{folder}/podman/podman.sock" for folder in ("/run", os.environ.get("XDG_RUNTIME_DIR", "/run"))]
    there = [found for found in podman if os.path.exists(found)]
    if there and not os.path.exists(place):
        return f"No container engine answers at {address}; for podman set DOCKER_HOST=unix://{there[0]}."
    return (
        f"No container engine answers at {address} ({reason}); install Docker (Debian: `apt-get install docker.io`) "
        "or start it (`systemctl start docker`)."
    )


def _ask_for_leave(place: str) -> str:
    """How this user may come to use the socket."""
    try:
        group = grp.getgrgid(os.stat(place).st_gid).gr_name
    except (OSError, KeyError):
        group = "docker"
    if group == "root":
        return "run as root, or start an engine of your own (rootless, see docs/sandbox.md)"
    return f"add the user to the group (`sudo usermod -aG {group} $USER`) and log in again"


def reason(error: BaseException) -> str:
    """What an exception says, on one line: the engine's own words where it has any."""
    explanation = getattr(error, "explanation", None)
    text = str(explanation or error) or type(error).__name__
    return " ".join(text.split())[:600]
