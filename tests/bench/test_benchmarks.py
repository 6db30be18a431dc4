"""The benchmarks: what they measure is right, also of a layer that takes no time."""

import gzip
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import fixing, report, scaling
from benchmarks.__main__ import main
from benchmarks.commands import written
from benchmarks.contest import Contender, Outcome, Rules, Stage, alternate
from benchmarks.material import given_layer, sample
from benchmarks.measuring import FailedError, Run, run
from benchmarks.next_release import UPGRADED, _members
from benchmarks.results import Goal, Section, ratio_goal
from layerkit import fix, open_image
from layerkit.destinations import open_destination
from tests import tar_building as tar

needs_gzip = pytest.mark.skipif(shutil.which("gzip") is None, reason="gzip is not installed")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def rules(work: Path, runs: int = 2, said: list[str] | None = None) -> Rules:
    return Rules(runs, 60.0, frozenset(), work, (said if said is not None else []).append)


class TestRun:
    def test_what_a_command_takes(self, tmp_path: Path) -> None:
        code = "import os, time; data = b'x' * 90_000_000; time.sleep(0.3); print(os.environ['TMPDIR'])"
        found = run(python(code), tmp_path)
        assert found.output == str(tmp_path)
        assert found.seconds >= 0.3
        assert found.cpu_seconds < found.seconds + 0.1
        assert 90e6 < found.peak_memory < 200e6
        assert found.temporary_disk == 0

    def test_memory_of_small_commands_of_a_large_parent(self, tmp_path: Path) -> None:
        ours = b"x" * 300_000_000  # a child's ru_maxrss begins with it
        found = run(python("import time; time.sleep(0.3)"), tmp_path)
        assert ours[-1:] == b"x"
        assert 1e6 < found.peak_memory < 100e6

    @pytest.mark.parametrize("deleted", [True, False])
    def test_temporary_disk(self, tmp_path: Path, deleted: bool) -> None:
        code = f"""
import os, tempfile, time
file = tempfile.NamedTemporaryFile(delete=False)
{"os.unlink(file.name)" if deleted else ""}
file.write(bytes(range(256)) * 20_000); file.flush(); os.fsync(file.fileno())
time.sleep(0.4)
"""
        assert 5_120_000 <= run(python(code), tmp_path).temporary_disk < 6_000_000

    def test_descendants_count(self, tmp_path: Path) -> None:
        child = "data = b'x' * 90_000_000; import time; time.sleep(0.3)"
        code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        assert run(python(code), tmp_path).peak_memory > 90e6

    def test_failures_say_why(self, tmp_path: Path) -> None:
        with pytest.raises(FailedError, match="exit code 3: so it is"):
            run(python("import sys; print('so it is', file=sys.stderr); sys.exit(3)"), tmp_path)
        with pytest.raises(FailedError, match="No such file"):
            run(["/no/such/program"], tmp_path)

    def test_cores(self, tmp_path: Path) -> None:
        before = os.sched_getaffinity(0)
        assert run(python("import os; print(len(os.sched_getaffinity(0)))"), tmp_path, cores=1).output == "1"
        assert os.sched_getaffinity(0) == before


class TestAlternate:
    def contender(
        self, name: str, code: str, judge: Callable[[Stage, Run], Outcome] | None = None, program: str = ""
    ) -> Contender:
        return Contender(name, lambda stage: python(code), judge or (lambda stage, found: Outcome(found.output, 1, 1)), program)

    def test_in_alternation_and_apart(self, tmp_path: Path) -> None:
        order: list[str] = []
        places: set[Path] = set()

        def judge(stage: Stage, found: Run) -> Outcome:
            order.append(found.output)
            places.add(stage.folder)
            assert not list(stage.folder.iterdir())
            (stage.folder / "made").touch()
            return Outcome(found.output, 0, 0)

        contenders = [self.contender(name, f"print('{name}')", judge) for name in "AB"]
        results = alternate("x", contenders, rules(tmp_path, runs=3), inputs=[])
        assert order == ["A", "B"] * 3
        assert [(one.name, len(one.runs), one.problem) for one in results] == [("A", 3, ""), ("B", 3, "")]
        assert len(places) == 6
        assert not list(tmp_path.iterdir())

    def test_what_fails_does_not_disturb(self, tmp_path: Path) -> None:
        said: list[str] = []
        contenders = [
            self.contender("breaks", "raise SystemExit(2)"),
            self.contender("changes", "import time; print(time.time())"),
            self.contender("is missing", "", program="no-such-program"),
            self.contender("works", "print(1)"),
        ]
        breaks, changes, missing, works = alternate("x", contenders, rules(tmp_path, said=said), inputs=[])
        assert breaks.problem.startswith("exit code 2")
        assert "run 2 made" in changes.problem
        assert (missing.problem, missing.is_absent) == ("no-such-program is not installed", True)
        assert works.is_measured
        assert not any(one.is_measured for one in (breaks, changes, missing))
        assert sum("FAILED" in line for line in said) == 2

    def test_slow_ones_run_once(self, tmp_path: Path) -> None:
        impatient = Rules(3, 0.2, frozenset({"other"}), tmp_path, lambda text: None)
        contenders = [
            self.contender("slow", "import time; time.sleep(0.3)"),
            self.contender("fast", ""),
            self.contender("another other", ""),
        ]
        began = time.monotonic()
        slow, fast = alternate("x", contenders, impatient, inputs=[])
        assert (len(slow.runs), len(fast.runs)) == (1, 3)
        assert time.monotonic() - began < 10

    def test_a_sample_counts_as_the_whole(self, tmp_path: Path) -> None:
        contender = replace(self.contender("sample", "import time; time.sleep(0.1)"), scale=10.0, once=True)
        (result,) = alternate("x", [contender], rules(tmp_path), inputs=[])
        assert len(result.runs) == 1
        assert result.seconds > 1


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    runs = [tar.directory("d"), *(tar.file(f"d/{n}", bytes([n]) * 5000) for n in range(40)), tar.hard_link("d/link", "d/39")]
    path = tmp_path / "layer.tar.gz"
    path.write_bytes(gzip.compress(tar.layer(*runs), mtime=0))
    return path


@needs_gzip
def test_archives_are_images(layer: Path, tmp_path: Path) -> None:
    material = given_layer(layer, tmp_path / "work", lambda text: None)
    assert (material.entries, material.size) == (42, layer.stat().st_size)
    oci, docker = open_image(material.oci), open_image(material.docker)
    assert len(oci.referrers()) == 1
    assert oci.platforms()[0].config.diff_ids == docker.platforms()[0].config.diff_ids == (material.diff_id,)
    for image in (oci, docker):
        fixed = fix(image, max_layer_size=70_000)
        assert fixed.platforms()[0].config.diff_ids == (material.diff_id,) or image is docker
    part = sample(material, material.raw_size // 2, tmp_path / "sample", lambda text: None)
    assert material.raw_size // 2 <= part.raw_size < material.raw_size * 0.6
    with tarfile.open(fileobj=gzip.open(part.layer)) as members:
        assert members.getnames() == ["d", *(f"d/{n}" for n in range(part.entries - 1))]
    again = given_layer(layer, tmp_path / "work", lambda text: pytest.fail("made again"))
    assert again == material


@needs_gzip
def test_written_archives_are_checked(layer: Path, tmp_path: Path) -> None:
    material = given_layer(layer, tmp_path / "work", lambda text: None)
    target = tmp_path / "out.tar"
    digest = open_destination(str(target)).finish(fix(open_image(material.oci)))
    assert written(target) == Outcome(digest, 1, material.size)
    data = bytearray(target.read_bytes())
    data[data.index(layer.read_bytes()) + 100] ^= 1
    target.write_bytes(data)
    with pytest.raises(FailedError, match="blobs/sha256/"):
        written(target)


def test_a_release_differs_in_one_package(tmp_path: Path) -> None:
    """What `next-release` calls another version: files are gone, new, changed; times change; so does the parent's."""
    for package in ("a", "b"):
        for number in range(60):
            path = tmp_path / package / f"{number}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{package} {number}\n" * 50)
    info = tmp_path / "b-1.0.dist-info"
    info.mkdir()
    paths = [str(tmp_path), *sorted(map(str, tmp_path.rglob("*")))]

    def release(package: str | None) -> dict[str, tuple[int, bytes]]:
        return {"/" + member.name: (int(member.mtime), data) for member, data in _members(paths, package)}

    before, after = release(None), release(str(tmp_path / "b"))
    assert before == release(None)
    inside = str(tmp_path / "b") + "/"
    gone = {path for path in before.keys() - after.keys() if path.startswith(inside)}
    new = {path for path in after.keys() - before.keys() if path.startswith(inside)}
    changed = {path for path in before.keys() & after.keys() if before[path][1] != after[path][1]}
    assert gone
    assert new
    assert changed
    assert all(path.startswith(inside) for path in changed)
    assert (str(info) in after, f"{tmp_path}/b-99.0.dist-info" in after) == (False, True)
    others = [path for path in before if path.startswith(f"{tmp_path}/a")]
    assert len(others) == 61
    assert all(before[path] == after[path] for path in others)
    assert after[str(tmp_path)][0] == after[str(tmp_path / "b")][0] == UPGRADED


def test_goals_and_tables() -> None:
    goal = Goal("a", "≤ 1", "2", False)
    section = Section("x", "Title", "Text.", ["", "b|c"], [["row", "1"]], [goal], notes=["it failed"])
    text = report.markdown({"cores": "2"}, ["a condition"], [section], None)
    assert "0 of 1 kept. Missed: a." in text
    assert "**MISSED**" in text
    assert "b\\|c" in text
    assert "- it failed" in text
    assert json.loads(report.document({}, [], [section]))["sections"][0]["goals"][0]["kept"] is False
    assert ratio_goal("a", 1.5, None, None).kept is None


@pytest.mark.real
@pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("gzip", "bash", "docker-registry", "skopeo")),
    reason="needs gzip, bash, docker-registry and skopeo",
)
def test_everything_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each experiment, on a layer of 3 MB."""
    monkeypatch.setattr(fixing, "RECOMPRESSED", 1_000_000)
    monkeypatch.setattr(fixing, "SAMPLE", 1_000_000)
    monkeypatch.setattr(scaling, "SHARES", (0.5,))
    monkeypatch.setattr(scaling, "ENTRY_SHARES", (1,))
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    arguments = ["--size", "3MB", "--runs", "1", "--entries", "600", *folders]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "out/report.json").read_text())
    sections = {section["name"]: section for section in document["sections"]}
    assert not [section["text"] for section in sections.values() if "FAILED" in section["text"]]
    assert sections.keys() >= {"fix", "push", "classic", "next-release", "entries", "sizes", "inspect"}
    assert not [note for section in sections.values() for note in section["notes"]]
    pushed = {row["name"]: row["outcome"] for row in sections["push"]["data"]}
    assert pushed["skopeo copy"]["layers"] == 1
    assert pushed["layerkit fix-and-push"]["layers"] > 1
    fixed = {row["name"]: row["outcome"] for row in sections["fix"]["data"]}
    assert any(name.startswith("gunzip | gzip -6 (reckoned from the first 1.") for name in fixed)
    assert fixed["layerkit fix"]["layers"] == pushed["layerkit fix-and-push"]["layers"]
    releases = [one["releases"] for one in sections["next-release"]["data"]]
    assert [4 <= len(one) <= 8 for one in releases] == [True] * 4  # by what is installed here
    assert all(release["sent"] > 0 for one in releases for release in one)
    assert (tmp_path / "out/report.md").read_text() in done.output
