"""What the probe's readings mean: one finding for each limit and each wall, in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.base import Limits
from sandbox.engine_facts import DELEGATION, SWITCH
from sandbox.finding import Finding
from sandbox.in_force import SLACK, UNLIMITED
from sandbox.probe import Measured, Warm

DOCS = "docs/sandbox.md"
WRITABLE = {"/work", "/tmp", "/dev/shm", "/dev/mqueue"}
"""Where code in a container may write: all of it bounded, and gone with the container."""
_LIMITS = {
    "memory_mb": ("memory", " MiB", "generated code can take all memory of this machine"),
    "swap_mb": ("swap", " MiB", "generated code can take more memory than its limit says, as swap"),
    "pids": ("processes", "", "generated code can start processes until nobody else can"),
    "cpus": ("CPU cores", "", "generated code can slow down everything else on this machine"),
}
_MEND_LIMITS = f"an engine of root: {SWITCH}; a rootless one: cgroup version 2 and {DELEGATION}"
_MEND_WALLS = "another program has changed the engine's defaults: look at /etc/docker/daemon.json and `docker info`"


def judge_limits(asked: Limits, measured: Measured) -> list[Finding]:
    """A finding for memory, swap, processes and CPU."""
    wanted = asked.counted()
    return [_limit(name, float(wanted[name]), measured) for name in _LIMITS]


def judge_work(asked: Limits, measured: Measured, complaints: list[str]) -> Finding:
    """The working folder: its size, what it lies on, and whether it refuses more. `complaints`: why not on disk."""
    work = measured.inside["work"]
    size, kind = float(work["mb"]), str(work["kind"])
    place = f"in memory ({kind})" if kind == "tmpfs" else f"on disk ({kind})"
    found = f"{asked.disk_mb} MiB asked, {size:.0f} MiB {place}"
    if size > asked.disk_mb * SLACK + 1 or not work["refuses_more"]:
        means = "generated code can fill the disk of this machine"
        return Finding("wrong", "working folder", f"{found}, and more is not refused", means, _MEND_WALLS, work)
    if kind == "tmpfs":
        means = "what scripts write counts into their memory"
        mend = "run as root, with mkfs.ext4 installed and LINGUACODUS_SCRATCH on a disk with room; or give more memory"
        return Finding(
            "warn" if complaints else "note", "working folder", "; ".join([found, *complaints[:1]]), means, mend, work
        )
    return Finding("ok", "working folder", f"{found}, more is refused", data=work)


def judge_walls(measured: Measured) -> list[Finding]:
    """A finding for each wall around the code."""
    inside, mapped = measured.inside, measured.inside["user_namespace"]
    user = f"number {inside['uid']}" + (", another one outside (user namespace)" if mapped else "")
    held = ", ".join(name for name, bits in inside["capabilities"].items() if bits)
    net = ", ".join(name for name in inside["interfaces"] if name != "lo")
    more = " ".join(sorted(set(inside["writable"]) - WRITABLE))
    opened = ", ".join(inside["process_1"])
    return [
        _wall("user", user, "" if inside["uid"] or mapped else "root", "code is root, as far as the container goes"),
        _wall("capabilities", "none", held, "code has some of root's rights"),
        _wall("privileges", "no new ones", "" if inside["no_new_privileges"] else "new ones", "code can become root"),
        _wall("network", "none", net, "code can reach other machines"),
        _wall("root folder", "read-only", "" if inside["root_read_only"] else "writable", "code can change its image"),
        _wall("writable", " ".join(inside["writable"]), more, "code can write where nothing bounds it"),
        _wall("process 1", "closed to the code", opened, "code can forge its own results"),
    ]


def judge_calls(measured: Measured, engine: Mapping[str, str]) -> Finding:
    """Whether system calls are filtered."""
    inside, gvisor = measured.inside, is_gvisor(engine)
    if inside["seccomp"] == 2 and inside["namespace_refused"]:
        return Finding("ok", "system calls", "filtered (seccomp), a user namespace is refused", data={"seccomp": 2})
    if gvisor:
        return Finding("ok", "system calls", "answered by gVisor instead of this machine's kernel")
    found = "a user namespace of its own is granted" if inside["seccomp"] == 2 else "not filtered (no seccomp)"
    means = "code reaches parts of the kernel that it has no need for, where holes are found most often"
    mend = "start the engine without `seccomp-profile` or `seccomp=unconfined`, on a kernel with CONFIG_SECCOMP_FILTER"
    return Finding("wrong", "system calls", found, means, mend, {"seccomp": inside["seccomp"]})


def judge_isolation(measured: Measured, engine: Mapping[str, str]) -> Finding:
    """How far a hole would get somebody, and what would be stronger."""
    inside = measured.inside
    if is_gvisor(engine):
        return Finding(
            "ok", "isolation", f"gVisor ({engine['runtime']}): a kernel of its own stands before this machine's"
        )
    rootless, mapped = engine.get("daemon") == "rootless", inside["user_namespace"]
    whose = "a rootless engine" if rootless else "an engine that runs as root"
    filters = ["seccomp" if inside["seccomp"] else "no seccomp", "a user namespace" if mapped else "no user namespace"]
    if inside["apparmor"] and "unconfined" not in inside["apparmor"]:
        filters.append(f"security label {inside['apparmor']}")
    risk = (
        "your user's rights, a hole in the kernel root's"
        if rootless
        else "root on this machine, as would one in the kernel"
    )
    stronger = "gVisor" if rootless else "a rootless engine or gVisor"
    found = f"containers of {whose}; {', '.join(filters)}"
    return Finding(
        "note", "isolation", found, f"a hole in the engine would give {risk}", f"for more: {stronger}, see {DOCS}"
    )


def judge_speed(measured: Measured) -> Finding:
    """A session that finds no warm container."""
    cold, imports = measured.cold_ms, measured.imports_ms
    found = f"first cell after {cold:.0f} ms, pandas and scikit-learn {imports:.0f} ms later"
    data = {"cold_ms": round(cold), "imports_ms": round(imports)}
    if cold < 10_000:
        return Finding("ok", "cold start", found, data=data)
    means = "every script waits so long before it begins"
    return Finding(
        "warn", "cold start", found, means, "see what else runs here (`top`) and whether the disk is slow", data
    )


def judge_pool(warm: Warm | None, complaints: list[str]) -> Finding:
    """A session that finds a warm container. `complaints`: why there is none."""
    if warm is None:
        means = "every script waits for its imports"
        found = "; ".join(["no container became ready", *complaints])
        return Finding("warn", "warm pool", found, means, "see what else runs here (`top`)")
    memory = "" if warm.idle_mb is None else f", {warm.idle_mb:.0f} MiB for each that waits"
    found = f"first cell with pandas and scikit-learn after {warm.ms:.0f} ms{memory}"
    return Finding("ok", "warm pool", found, data={"warm_ms": round(warm.ms, 1), "idle_mb": warm.idle_mb})


def is_gvisor(engine: Mapping[str, str]) -> bool:
    """Whether containers get gVisor's kernel, by the engine's own word."""
    return "runsc" in engine.get("runtime", "")


def _limit(name: str, asked: float, measured: Measured) -> Finding:
    what, unit, means = _LIMITS[name]
    inside, outside = measured.inside["limits"][name], measured.outside[name]
    seen = [value for value in (inside, outside) if value is not None]
    found = f"{asked:g}{unit} asked, {_amount(inside)} inside, {_amount(outside)} by this machine's cgroup"
    data = {"asked": asked, "inside": _for_json(inside), "outside": _for_json(outside)}
    if any(value > asked * SLACK for value in seen):
        return Finding("wrong", what, found, means, _MEND_LIMITS, data)
    if not seen:
        means = f"it cannot be seen whether the limit is kept; if not, {means}"
        return Finding("warn", what, found, means, f"try the attacks in {DOCS} on this machine", data)
    return Finding("ok", what, found, data=data)


def _wall(what: str, good: str, fault: str, means: str) -> Finding:
    return Finding("wrong", what, fault, means, _MEND_WALLS) if fault else Finding("ok", what, good)


def _amount(value: float | None) -> str:
    if value is None:
        return "unreadable"
    return "no limit" if value >= UNLIMITED else f"{value:g}"


def _for_json(value: float | None) -> float | str | None:
    return "none" if value is not None and value >= UNLIMITED else value
