"""`python -m tests.attack_table` writes docs/sandbox-attacks.md from the tests that attack the sandbox.

Each test's docstring is "attack: how it ends"; a parametrized one says how all its parameters end, and has a row for
each. Attacks that are tested elsewhere are listed here.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

PAGE = Path(__file__).parent.parent / "docs" / "sandbox-attacks.md"
THEMES = {
    "test_sandbox_attacks": "Places: network, secrets, files of the host and the image, /proc, /sys",
    "test_sandbox_attacks_calls": "System calls",
    "test_sandbox_attacks_relay": "The relay and the lines to it",
    "test_sandbox_attacks_host": "The host, by a relay that is the enemy",
    "test_sandbox_attacks_bombs": "Bombs and loops",
    "test_sandbox_attacks_output": "Output",
    "test_sandbox_attacks_files": "What is left as a submission",
    "test_sandbox_contract": "Ends that scripts meet without any malice, too",
}
"""Where the attacks are, and what they have in common."""
ELSEWHERE = {
    "test_memory_without_end_is_out_of_memory": 'Take memory without end: "out_of_memory"; the submission is taken',
    "test_memory_without_end_in_a_child_is_out_of_memory": 'Take memory without end in a child: "out_of_memory"',
    "test_a_kill_by_its_own_hand_is_not_out_of_memory": 'Kill itself: "killed", not taken for a lack of memory',
    "test_a_process_that_ends_itself_is_killed": 'End the process before the script is through: "killed"',
    "test_a_loop_ends_at_the_limit_and_what_it_wrote_is_kept": 'Loop without end: "timeout"; the submission is taken',
    "test_a_loop_that_swallows_the_interrupt_is_killed_with_its_children": (
        'Loop, swallow the interrupt, and have a child outlive it: "timeout", both are killed'
    ),
    "test_a_stopped_process_ends_at_the_limit": 'Stop itself (SIGSTOP): "timeout"',
    "test_a_flood_of_output_is_stopped": 'Print without end, four ways: "output_limit"',
    "test_the_container_ends_when_its_client_is_killed": "Outlive a killed host program: the container ends with it",
}
"""Tests of test_sandbox_contract.py."""
INTRO = """# Attacks on the sandbox

Code that a language model wrote is treated as an enemy. These are the attacks that the test suite really makes, with
real code in a real container, and how each of them ends: contained, and told to the caller as a status or an error.
After each the host's side goes on, and so does the session where the attack has not ended it. `make test` runs all.

What is not covered: holes in the host's kernel or in the engine, side channels, what a rootful daemon means in itself,
how busy a container makes the disk, what every process may read about the machine in /proc (its memory, its boot
options, the paths of mounts), and the few things that the kernel counts by user or by machine and not by container
(pipes, message queues; under cgroup version 1 also the buffers of TCP and UDP, up to the kernel's own tcp_mem and
udp_mem): code in one container can leave less of these to others that run beside it.

Made by `python -m tests.attack_table` from the tests themselves; {count} attacks.
"""


@dataclass(frozen=True)
class Row:
    """One attack."""

    attack: str
    end: str
    test: str


def rows(module: str) -> Iterator[Row]:
    """The attacks of a test module, in its order. Raises: ValueError where a test does not say what it attacks."""
    found = importlib.import_module(f"tests.{module}")
    for name, test in vars(found).items():
        if not (isinstance(test, FunctionType) and name.startswith("test_")):
            continue
        if module == "test_sandbox_contract":
            if name in ELSEWHERE:
                yield _single(name, ELSEWHERE[name])
        elif parameters := _parameters(test):
            yield from (Row(attack, _doc(test).replace("{ends}", ends), name) for attack, ends in parameters)
        else:
            yield _single(name, _doc(test))


def page() -> str:
    """The page's text."""
    tables = {module: list(rows(module)) for module in THEMES}
    parts = [INTRO.format(count=sum(len(table) for table in tables.values()))]
    for module, table in tables.items():
        parts.append(
            f"\n## {THEMES[module]}\n\nIn `tests/{module}.py`.\n\n| attack | how it ends | test |\n|---|---|---|\n"
        )
        parts += [f"| {_cell(row.attack)} | {_cell(row.end)} | `{row.test}` |\n" for row in table]
    return "".join(parts)


def _single(name: str, text: str) -> Row:
    attack, colon, end = text.partition(": ")
    if not colon:
        raise ValueError(f"{name}: the docstring is not 'attack: how it ends' but {text!r}")
    return Row(attack, end, name)


def _doc(test: FunctionType) -> str:
    text = inspect.getdoc(test)
    if not text or "\n" in text:
        raise ValueError(f"{test.__name__}: one line of docstring is wanted")
    return text


def _parameters(test: FunctionType) -> list[tuple[str, str]]:
    """The attacks that a test is parametrized with, and where each has a list `ends` of its own, how it may end."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    found = []
    for attacks in [mark.args[1] for mark in marks]:
        details = attacks if isinstance(attacks, dict) else {}
        for attack in attacks:
            ends = getattr(details.get(attack), "ends", ())
            found.append((str(attack), " or ".join(f'"{end}"' for end in ends)))
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\0", "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
