"""The page of attacks is what the tests really do."""

from __future__ import annotations

from tests import attack_table


def test_the_page_is_what_the_tests_say() -> None:
    made = attack_table.page()
    assert attack_table.PAGE.read_text(encoding="utf-8") == made, "run `python -m tests.attack_table`"
    assert made.count("\n| ") - 2 * made.count("\n|---|") >= 100


def test_every_test_that_is_named_exists() -> None:
    rows = [row for module in attack_table.THEMES for row in attack_table.rows(module)]
    assert set(attack_table.ELSEWHERE) <= {row.test for row in rows}
    assert len({(row.attack, row.test) for row in rows}) == len(rows)
    assert all(row.attack.strip() and row.end.strip() for row in rows)
