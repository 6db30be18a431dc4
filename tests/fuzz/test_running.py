"""The fuzzer finds what is there to be found; and a few inputs of every kind find nothing."""

import time
from pathlib import Path

import pytest

from fuzz.choices import BytesChoices, Choices
from fuzz.judging import WrongError, check_contents, check_image
from fuzz.running import Runner, outcomes, try_one
from fuzz.targets import TARGETS
from tests import tar_building as tar
from tests.layered import image_of

QUICK = [name for name in TARGETS if name != "seams"]


@pytest.mark.parametrize("target", QUICK)
def test_some_inputs(target: str, tmp_path: Path) -> None:
    for seed in range(12):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert try_one(target, seed, folder)


def test_streams_that_are_copied(tmp_path: Path) -> None:
    assert try_one("seams", 5, tmp_path)


def test_the_same_seed_is_the_same_input(tmp_path: Path) -> None:
    said = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        said.append(try_one("documents", 3, tmp_path / name))
    assert said[0] == said[1]


def test_inputs_run_in_a_child() -> None:
    found = list(outcomes(["conversions", "indexes"], 7, until=time.monotonic() + 60, most=2))
    assert [(outcome.target, outcome.seed) for outcome in found] == [
        ("conversions", 7),
        ("indexes", 7),
        ("conversions", 8),
        ("indexes", 8),
    ]
    assert not any(outcome.is_finding for outcome in found), found


def test_what_takes_too_long_is_found_and_the_next_input_runs() -> None:
    with Runner(seconds=0.001) as runner:
        outcome = runner.run("seams", 1)
        assert outcome.is_finding
        assert "not done after" in outcome.said
        runner._seconds = 60
        assert not runner.run("indexes", 1).is_finding


def test_what_takes_too_much_memory_is_found() -> None:
    with Runner(memory=1 << 20) as runner:
        outcome = runner.run("indexes", 1)
    assert outcome.is_finding
    assert "bytes of memory" in outcome.said


def test_what_is_raised_is_found() -> None:
    with Runner() as runner:
        outcome = runner.run("no such target", 1)
    assert outcome.is_finding
    assert "KeyError" in outcome.said


def test_wrong_results_are_told() -> None:
    image = image_of(tar.layer(tar.file("a", b"x" * 1000)))
    check_image(image, limit=1000)
    with pytest.raises(WrongError, match="over the limit of 10"):
        check_image(image, limit=10)
    with pytest.raises(WrongError, match="what comes out isn't sha256:0"):
        check_image(image_of(tar.layer(tar.file("a")), diff_ids=["sha256:" + "0" * 64]), limit=None)
    one, other = tar.layer(tar.file("a", b"x")), tar.layer(tar.file("a", b"y"))
    check_contents([one, other], [other])
    with pytest.raises(WrongError, match="1 paths differ"):
        check_contents([one], [other])


def test_choices_follow_the_bytes_they_are_given() -> None:
    def drawn(choices: Choices) -> list[int]:
        return [choices.randrange(1000) for _ in range(4)]

    assert drawn(BytesChoices(b"abcdefgh" * 2)) == drawn(BytesChoices(b"abcdefgh" * 2))
    assert drawn(BytesChoices(b"abcdefgh" * 2)) != drawn(BytesChoices(b"abcdefgX" * 2))
    assert drawn(BytesChoices(b"")) == drawn(BytesChoices(b""))
