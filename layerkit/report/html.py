"""A page about an image: charts of its layers and directories, and the tables beside them. One file that needs no network.

In: a summary, and contents if the layers were decoded. Out: HTML. Needs the extra `report`.
"""

from collections.abc import Sequence
from typing import Any

from layerkit.costs.contents import Contents
from layerkit.errors import UsageError
from layerkit.image.digest import short
from layerkit.report.sizes import format_share, format_size
from layerkit.report.summary import ImageSummary, PlatformSummary
from layerkit.report.text import counted, one_line

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ summary.name }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .5em 0 1.5em }
td, th { padding: .15em .8em .15em 0; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; white-space: nowrap }
code { font-size: .9em; overflow-wrap: anywhere }
.over { color: #b00; font-weight: bold }
</style></head><body>
<h1>{{ summary.name }}</h1>
<p>{{ summary.kind }}{% if summary.names %}, {{ summary.names[:10] | join(", ") }}{% endif %},
{{ size(summary.size) }} of layers<br>
<code>{{ summary.digest }}</code></p>
{% for platform, chart in platforms %}
<h2>{{ platform.platform }}: {{ size(platform.size) }}</h2>
{{ chart }}
<table><tr><th class="n">#</th><th class="n">size</th><th class="n">share</th><th>digest</th><th>made by</th></tr>
{% for layer in platform.layers %}<tr><td class="n">{{ layer.number }}</td>
<td class="n{% if layer.exceeds %} over{% endif %}">{{ size(layer.size) }}</td>
<td class="n">{{ share(layer.size, platform.size) }}</td>
<td><code>{{ short(layer.digest) }}</code></td><td><code>{{ line(layer.command) }}</code></td></tr>
{% endfor %}</table>
{% endfor %}
{% if about %}<p>About it: {{ about }}</p>{% endif %}
{% if summary.absent %}<p>Listed, but not in the file: {{ summary.absent | join(", ") }}</p>{% endif %}
{% for one in contents %}
<h2>{{ one.platform }}: what the layers hold</h2>
<p>{{ one.files }} files, {{ size(one.size) }}; {{ size(one.wasted_size) }} replaced or deleted by later layers</p>
{% for title, rows in [("Largest files", one.largest), ("Wasted", one.wasted)] if rows %}
<h3>{{ title }}</h3><table>
{% for row in rows %}<tr><td class="n">{{ size(row.cost) }}</td><td><code>{{ row.path }}</code></td></tr>
{% endfor %}</table>
{% endfor %}
<h3>Content types</h3><table>
{% for row in one.types %}<tr><td class="n">{{ size(row.size) }}</td><td class="n">{{ row.files }}</td>
<td>{{ row.name }}</td></tr>
{% endfor %}</table>
{% endfor %}
</body></html>
"""


def image_page(summary: ImageSummary, contents: Sequence[Contents] = ()) -> str:
    """Raises UsageError when the extra isn't installed."""
    try:
        import jinja2
        import markupsafe
        import plotly.graph_objects as graphs
    except ImportError:
        raise UsageError("an HTML report needs the extra 'report': pip install 'layerkit[report]'") from None
    figures = [_layers(graphs, platform, summary.limit) for platform in summary.platforms]
    charts = [
        # The library goes in with the first chart. Plotly writes `<` and `/` in data as escapes, so that no name ends the script.
        markupsafe.Markup(figure.to_html(full_html=False, include_plotlyjs=number == 0))  # noqa: S704
        for number, figure in enumerate(figures)
    ]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(_PAGE)
    return str(
        template.render(
            summary=summary,
            about=counted(found.kind.value for found in summary.referrers),
            platforms=list(zip(summary.platforms, charts, strict=True)),
            contents=contents,
            size=format_size,
            share=format_share,
            short=short,
            line=one_line,
        )
    )


def _layers(graphs: Any, platform: PlatformSummary, limit: int) -> Any:
    """Bars in the layers' order, with the limit as a line."""
    figure = graphs.Figure(
        graphs.Bar(
            x=[layer.number for layer in platform.layers],
            y=[layer.size for layer in platform.layers],
            text=[format_size(layer.size) for layer in platform.layers],
            hovertext=[short(layer.digest) for layer in platform.layers],
            marker_color=["#c0392b" if layer.exceeds else "#2e86c1" for layer in platform.layers],
        )
    )
    if any(layer.exceeds for layer in platform.layers):
        figure.add_hline(y=limit, line_dash="dash", annotation_text=f"limit: {format_size(limit)}")
    figure.update_layout(height=320, margin={"t": 20, "b": 40, "l": 60, "r": 20}, xaxis_title="layer", yaxis_title="bytes")
    return figure
