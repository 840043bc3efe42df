"""Front matter of skills: what it may cost is bounded, whatever it holds."""

import time

import pytest

from mcpkit.core.frontmatter import MAX_DEPTH, MAX_SIZE, read_frontmatter

ALIASES = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("x: " + "[" * 5000, "more than 20 deep"),
        ("x: " + "{a: " * 2000, "more than 20 deep"),
        ("x: " + "a" * 3_000_000, "16384 are allowed"),
        ("x: " + "9" * 5000, "limit"),
        (ALIASES, "alias"),
        ("x: &x [*x]", "alias"),
        ("x: [", "expected"),
        ("x: !!python/object:os.x {}", "python/object"),
        ("? [a]\n: b", "unhashable"),
    ],
)
def test_a_head_that_costs_too_much_or_is_no_yaml_is_refused_at_once(head: str, told: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=told):
        read_frontmatter(f"---\n{head}\n---\nText")

    assert time.process_time() - began < 1


def test_a_head_up_to_the_limits_is_read() -> None:
    deep = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    long = "a" * (MAX_SIZE - len(f"x: {deep}\ny: "))

    parsed = read_frontmatter(f"---\nx: {deep}\ny: {long}\n---\nText")

    assert parsed["y"] == long


def test_a_text_without_head_has_no_front_matter() -> None:
    assert read_frontmatter("Text\n---\nname: x\n---\n") is None
