"""The sections' bars and curves, in one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Section

OURS, THEIRS = "#0b6e4f", "#9aa5b1"
_PANEL = (7.0, 3.4)
"""Inches."""


def draw(sections: Sequence[Section], target: Path) -> bool:
    """Writes a PNG. False when matplotlib isn't installed, or there is nothing to be drawn."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [section for section in sections if section.bars or section.curves]
    if not shown:
        return False
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(_PANEL[0] * columns, _PANEL[1] * rows), squeeze=False)
    panels = [axes for row in grid for axes in row]
    for axes, section in zip(panels, shown, strict=False):
        axes.set_title(section.title.replace(", split", ",\nsplit"), fontsize=10, loc="left")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        _bars(axes, section) if section.bars else _curves(axes, section)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
    return True


def _bars(axes: Any, section: Section) -> None:
    names = [bar.name for bar in section.bars]
    values = [bar.value for bar in section.bars]
    drawn = axes.barh(names, values, color=[OURS if bar.is_layerkit else THEIRS for bar in section.bars])
    axes.bar_label(drawn, [f" {value:.3g} s" for value in values], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("seconds, median")
    axes.tick_params(labelsize=8)
    axes.margins(x=0.12)


def _curves(axes: Any, section: Section) -> None:
    for curve in section.curves:
        ours = curve.name.startswith(("layerkit", "scan by", "scan as"))
        axes.plot(*zip(*curve.points, strict=True), marker="o", markersize=3, label=curve.name, linestyle="-" if ours else "--")
    axes.set_xlabel(section.axes[0])
    axes.set_ylabel(section.axes[1])
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7, frameon=False)
