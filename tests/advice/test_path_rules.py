"""Rules about paths: each is about what it says, and not about what only looks like it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerkit.advice import Tally, read_rules
from layerkit.advice.rules import parse_rules

RULES = read_rules()

EXAMPLES = {
    # rule: what it means, what it doesn't
    "git-repository": ("srv/app/.git/objects/pack/a.pack", "srv/app/.github/a"),
    "apt-lists": ("var/lib/apt/lists/deb_main_Packages", "var/lib/apt/extended_states"),
    "apt-cache": ("var/cache/apt/archives/a.deb", "var/cache/aptitude/a"),
    "apk-cache": ("var/cache/apk/APKINDEX.tar.gz", "etc/apk/repositories"),
    "dnf-cache": ("var/cache/dnf/a.solv", "var/cache/ldconfig/aux-cache"),
    "pip-cache": ("home/me/.cache/pip/http/a", "root/cache/pip/a"),
    "python-tool-cache": ("root/.cache/uv/wheels/a", "root/uv/a"),
    "conda-packages": ("opt/conda/pkgs/a/b", "opt/conda/lib/a"),
    "node-cache": ("srv/node_modules/.cache/babel/a", "srv/node_modules/cache/a"),
    "go-cache": ("root/go/pkg/mod/cache/download/a", "usr/local/go/pkg/tool/a"),
    "cargo-cache": ("usr/local/cargo/registry/src/a", "usr/local/cargo/bin/cargo"),
    "java-cache": ("root/.m2/repository/org/a.jar", "opt/repository/org/a.jar"),
    "composer-cache": ("root/.composer/cache/a", "srv/composer.json"),
    "compiler-cache": ("root/.ccache/0/a", "usr/bin/ccache"),
    "model-cache": ("root/.cache/huggingface/hub/a", "models/huggingface/a"),
    "other-cache": ("root/.cache/fontconfig/a", "srv/.cache.py"),
    "temporary-files": ("tmp/build/a", "srv/tmp/a"),
    "logs": ("var/log/dpkg.log", "srv/log/a"),
    "core-dumps": ("srv/core.1234", "srv/core.py"),
    "debug-symbols": ("opt/app/lib.so.debug", "opt/app/debug"),
    "static-libraries": ("usr/lib/libm.a", "usr/lib/a"),
    "python-tests": ("usr/lib/python3/dist-packages/numpy/core/tests/a.py", "srv/app/tests/a.py"),
    "python-headers": ("opt/lib/site-packages/torch/include/ATen/a.h", "opt/lib/site-packages/include.py"),
    "headers": ("usr/local/cuda-12.4/include/cuda.h", "usr/share/include/a.h"),
    "documentation": ("usr/share/doc/libc6/copyright", "usr/share/docs/a"),
    "translations": ("usr/share/locale/de/LC_MESSAGES/a.mo", "usr/share/locales"),
    "source-maps": ("srv/dist/a.js.map", "srv/a.map"),
    "compiled-python": ("srv/app/__pycache__/a.cpython-311.pyc", "srv/app/a.pyc"),
}


def rule_of(path: str) -> str | None:
    tally = Tally(RULES)
    tally.add(path.encode(), 1, 10, 5)
    return next((rule for rule, _ in tally.matched), None)


def test_every_rule_has_an_example() -> None:
    assert [rule.id for rule in RULES.paths] == list(EXAMPLES)


@pytest.mark.parametrize("rule", EXAMPLES)
def test_what_a_rule_is_about(rule: str) -> None:
    meant, other = EXAMPLES[rule]
    assert rule_of(meant) == rule
    assert rule_of(other) != rule


def test_the_first_rule_counts() -> None:
    assert rule_of("root/.cache/pip/a") == "pip-cache"
    assert rule_of("tmp/a/.git/b") == "git-repository"
    assert rule_of("tmp/libm.a") == "temporary-files"
    assert rule_of("usr/lib/debug/libm.a") == "debug-symbols"


paths = st.lists(
    st.sampled_from(["usr", "lib", "site-packages", "tests", ".git", "tmp", "var", "log", "a.a", ".cache", "pip", "x"]),
    min_size=1,
    max_size=6,
).map("/".join)


@given(st.lists(st.tuples(paths, st.integers(1, 3), st.integers(0, 99)), max_size=30))
def test_a_file_counts_for_one_rule_whatever_came_before(files: list[tuple[str, int, int]]) -> None:
    """What is remembered of directories changes nothing, and sums are of all files."""
    tally = Tally(RULES)
    expected: dict[tuple[str, int], int] = {}
    for path, layer, cost in files:
        tally.add(path.encode(), layer, cost, cost)
        rule = rule_of(path)
        if rule is not None:
            expected[rule, layer] = expected.get((rule, layer), 0) + cost
    assert {key: matched.cost for key, matched in tally.matched.items()} == expected


@given(st.binary(max_size=200))
def test_any_path_can_be_asked_about(path: bytes) -> None:
    Tally(RULES).add(path, 1, 1, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[path]]\nid = "A"', "expected an id of small letters"),
        ('[[path]]\nid = "a"\ntitle = "t"', "rule a: expected help, id, least, paths, title"),
        ('[[path]]\nid = "a"\ntitle = "t"\nhelp = "h"\nleast = "1MB"\npaths = []', "expected a list of patterns"),
        ('[[path]]\nid = "a"\ntitle = "t"\nhelp = "h"\nleast = "1MB"\npaths = ["/a"]', "expected a path from the root"),
        ('[[path]]\nid = "a"\ntitle = "t"\nhelp = "h"\nleast = "much"\npaths = ["a/"]', "is not a size"),
        ('[[computed]]\nid = "a"\ntitle = ""\nhelp = "h"', "expected text as title"),
        ('[[computed]]\nid = "a"\ntitle = "t"\nhelp = "h"\n' * 2, "a: there twice"),
        ("[paths]", "expected 'path' and 'computed', found paths"),
    ],
)
def test_rules_that_are_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_rules(text)


def test_the_docs_list_every_rule() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs/advice.md").read_text()
    listed = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \|", docs, re.MULTILINE)
    titles = {rule.id: rule.title for rule in RULES.paths} | {name: one.title for name, one in RULES.computed.items()}
    assert {name: title.strip() for name, title in listed} == titles
