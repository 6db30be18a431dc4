"""From what was found to what would help. In: `Contents`, a `Tally`, what the target takes. Out: `Advice`.

Whose gain is whose: what the rules about paths tell of are files that can be seen, each for one rule. `deleted-later` is about
files that can't. Files that a layer holds again unchanged are counted by `changed-once-more`, and not by `deleted-later` for the
layer below. Only `same-content`, `cuda-twice` and `build-tools` may tell of files that a rule about paths tells of, too.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layerkit.advice.advice import Advice
from layerkit.advice.rules import Rules
from layerkit.advice.tally import Matched, Tally
from layerkit.costs.contents import Contents, PackageFound
from layerkit.costs.shown import shown

LEAST = 1_000_000
"""Bytes pushed, from which on what is computed is told of."""
_MIN_SHARE = 0.05
"""Of the image: what another compression has to gain."""

_BUILD_TOOLS = re.compile(
    r"(gcc|g\+\+|cpp|clang|llvm|gfortran|rustc|cargo|golang|openjdk-\d+-jdk|lib(gcc|stdc\+\+|clang|llvm)\S*-dev)(-\d[\d.]*)?(-\S+)?"
    r"|build-essential|build-base|binutils(-\S+)?|make|cmake|ninja-build|autoconf|automake|bison|flex|\S+-(dev|devel)|linux-headers\S*"
)
_SYSTEM = ("deb", "rpm", "apk")


@dataclass(frozen=True)
class Context:
    """Where the image goes."""

    limit: int
    """Bytes of a layer."""
    takes_zstd: bool


def advise(contents: Contents, tally: Tally, rules: Rules, context: Context) -> tuple[Advice, ...]:
    """The largest gain first. `contents`: with as many of everything as are to be looked at."""
    adviser = _Adviser(contents, tally, rules, context)
    return tuple(sorted(adviser.all(), key=lambda one: (-one.gain, one.rule, one.layer or 0)))


class _Adviser:
    def __init__(self, contents: Contents, tally: Tally, rules: Rules, context: Context) -> None:
        self._contents = contents
        self._tally = tally
        self._rules = rules
        self._context = context

    def all(self) -> Iterator[Advice]:
        yield from self._at_paths()
        yield from self._deleted_later()
        yield from self._changed_once_more()
        yield from self._same_content()
        yield from self._cuda_twice()
        yield from self._build_tools()
        yield from self._unsplittable()
        yield from self._zstd()

    def _at_paths(self) -> Iterator[Advice]:
        by_id = {rule.id: rule for rule in self._rules.paths}
        sums: dict[str, int] = {}
        for (name, _), matched in self._tally.matched.items():
            sums[name] = sums.get(name, 0) + matched.cost
        for (name, layer), matched in self._tally.matched.items():
            rule = by_id[name]
            if sums[name] >= rule.least and (matched.cost >= rule.least or matched.cost >= sums[name] / 2):
                yield Advice(name, rule.title, matched.cost, layer, self._step(layer), rule.help, _paths(matched))

    def _deleted_later(self) -> Iterator[Advice]:
        again = {(one.of, one.layer): one.cost for one in self._contents.rewritten}
        for pair in self._contents.wasted_between:
            gain = pair.cost - again.get((pair.layer, pair.by), 0)
            if gain < LEAST or pair.layer == pair.by:
                continue
            paths = tuple(one.path for one in self._contents.wasted if (one.layer, one.by) == (pair.layer, pair.by))[:5]
            words = {"by": pair.by, "below": pair.layer, "step": self._step(pair.by) or f"layer {pair.by}"}
            yield self._computed("deleted-later", gain, pair.layer, paths, **words)

    def _changed_once_more(self) -> Iterator[Advice]:
        for one in self._contents.rewritten:
            if one.cost >= LEAST:
                yield self._computed("changed-once-more", one.cost, one.layer, (), by=one.layer, files=f"{one.files:,}")

    def _same_content(self) -> Iterator[Advice]:
        if self._contents.duplicated_cost >= LEAST:
            paths = tuple(path for one in self._contents.duplicates[:3] for path in one.paths[:2])
            yield self._computed("same-content", self._contents.duplicated_cost, None, paths)

    def _cuda_twice(self) -> Iterator[Advice]:
        gain, paths = 0, []
        for homes in self._tally.cuda.values():
            if len(homes) > 1:
                *spare, _ = sorted(homes.values(), key=lambda matched: matched.cost)
                gain += sum(matched.cost for matched in spare)
                paths += [shown(path) for matched in homes.values() for path in matched.paths()[:1]]
        if gain >= LEAST:
            yield self._computed("cuda-twice", gain, None, tuple(paths[:6]))

    def _build_tools(self) -> Iterator[Advice]:
        tools = [one for one in self._contents.packages if one.kind in _SYSTEM and _BUILD_TOOLS.fullmatch(one.name)]
        gain = sum(one.cost for one in tools)
        if gain >= 10 * LEAST:
            yield self._computed("build-tools", gain, None, tuple(map(_named, tools[:6])))

    def _unsplittable(self) -> Iterator[Advice]:
        limit = self._context.limit
        for file in self._contents.largest:
            if file.cost > limit:
                words = {"cost": _size(file.cost), "above": _size(file.cost - limit), "limit": _size(limit)}
                yield self._computed("unsplittable", 0, file.layer, (file.path,), **words)

    def _zstd(self) -> Iterator[Advice]:
        if not self._context.takes_zstd:
            return
        gain = sum(layer.cost - layer.zstd_cost for layer in self._contents.layers if layer.zstd_cost is not None)
        if gain >= max(LEAST, _MIN_SHARE * self._contents.cost):
            yield self._computed("zstd", gain, None, ())

    def _computed(self, rule: str, gain: int, layer: int | None, paths: Sequence[str], **words: object) -> Advice:
        wording = self._rules.computed[rule]
        step = self._step(layer) if layer is not None else ""
        title, text = (_filled(one, words) for one in (wording.title, wording.help))
        return Advice(rule, title, gain, layer, step, text, tuple(paths))

    def _step(self, layer: int) -> str:
        return self._contents.layers[layer - 1].command


def _filled(text: str, words: dict[str, object]) -> str:
    """Not by `format`: what is filled in is foreign, and may hold braces."""
    return re.sub(r"\{([a-z]+)\}", lambda match: str(words[match[1]]), text)


def _paths(matched: Matched) -> tuple[str, ...]:
    return tuple(map(shown, matched.paths()))


def _named(package: PackageFound) -> str:
    return f"{package.name} {package.version}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
