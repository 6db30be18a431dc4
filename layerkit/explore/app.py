"""The screen: layers on the left, their files on the right.

In: a `Reading`. Out: nothing; it ends when the user has seen enough.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Footer, Input, Static, TabbedContent, TabPane, Tree
from textual.widgets.tree import TreeNode

from layerkit.costs.layer_files import LayerFiles
from layerkit.explore.index import MAX_SHOWN, Index, Shown, State
from layerkit.explore.reading import Reading, matching, of_all, of_layer, so_far
from layerkit.image.digest import short
from layerkit.image.history import created_by, dockerfile_line
from layerkit.report.sizes import format_share, format_size
from layerkit.report.text import one_line, plural

_LOOK = 0.5
"""Seconds from one look at the reading to the next."""
_SLOWER = 1.6
_SLOWEST = 6.0
"""A list of files that grows is made again after a look, then after longer and longer times: drawing takes what reading needs."""
_FILLED = 0.8
"""Of the limit: parts are about as large (docs/splitting.md)."""
_STYLES = {State.ADDED: "green", State.CHANGED: "yellow", State.REMOVED: "red", State.SAME: ""}
_MORE = "more"
"""What a node stands for that shows the next entries of its directory."""

Entry = Shown | str

Told = Callable[[Reading], RenderableType]


class Explorer(App[None]):
    CSS = """
    #left { width: 42%; max-width: 60; border-right: solid $panel; }
    #layers { height: 1fr; }
    #about { height: auto; max-height: 12; padding: 0 1; border-top: solid $panel; }
    #filter { display: none; height: 3; }
    #status { height: 1; padding: 0 1; background: $panel; }
    .narrow #left { width: 34; }
    Tree { padding: 0 1; }
    """
    TITLE = "layerkit"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "leave", "Quit", key_display="q", priority=True),
        Binding("a", "all", "All layers"),
        Binding("n", "order", "By name"),
        Binding("slash", "find", "Filter"),
        Binding("escape", "no_filter", show=False),
        Binding("f", "tab('files')", "Files"),
        Binding("s", "tab('summary')", "Summary"),
        Binding("p", "tab('plan')", "Plan"),
    ]

    def __init__(self, name: str, reading: Reading, limit: int, summary: Told, plan: Told) -> None:
        """`limit`: bytes of a layer. `summary` and `plan` say of what was read what is shown beside the files; `plan` may take as
        long as a fix does."""
        super().__init__()
        self._name = one_line(name)
        self._reading = reading
        self._limit = limit
        self._told = {"summary": summary, "plan": plan}
        self._asked: set[str] = set()
        self._index = Index([])
        self._shown: tuple[object, ...] = ()
        """What the files on the screen are of."""
        self._next = 0.0
        """When a list of files that grows may be made again."""
        self._wait = _LOOK
        self._making = False
        self._said: tuple[object, ...] = ()
        """What the line at the bottom and the words about the layer say."""
        self._layer = 1
        self._follows = True
        """Is the layer that is being read the one that is shown?"""
        self._everything = False
        self._by_name = False

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="left"):
                yield DataTable(id="layers", cursor_type="row", zebra_stripes=False)
                yield Static(id="about", markup=False)
            with TabbedContent(id="right", initial="files"):
                with TabPane("Files", id="files"):
                    yield Input(placeholder="part of a path", id="filter")
                    yield Tree[Entry]("", id="tree")
                with TabPane("Summary", id="summary"), VerticalScroll():
                    yield Static("Reading the layers…", id="summary-text", markup=False)
                with TabPane("Plan", id="plan"), VerticalScroll():
                    yield Static("Reading the layers…", id="plan-text", markup=False)
        yield Static(id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        table = self.query_one("#layers", DataTable)
        for name in ("#", "pushed", "share", "made by"):
            table.add_column(name, key=name)
        tree = self.query_one("#tree", Tree)
        tree.show_root = False
        tree.guide_depth = 2
        table.focus()
        self._reading.start()
        self.set_interval(_LOOK, self._look)
        self._look()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < 100, "narrow")

    def on_unmount(self) -> None:
        self._reading.stop()

    # What is known is looked at

    def _look(self) -> None:
        if not self.query("#layers"):
            return  # the screen is being taken down
        reading = self._reading
        table = self.query_one("#layers", DataTable)
        if reading.platform is not None and not table.row_count:
            self._list_layers(table)
        if self._follows and reading.began and not reading.is_over:
            self._follow(table)
        self._say()
        self._refresh()
        if reading.read is not None:
            for name in ("summary", "plan"):
                self._tell(name)

    def _list_layers(self, table: "DataTable[Text]") -> None:
        platform = self._reading.platform
        assert platform is not None
        layers = platform.manifest.layers
        whole = sum(layer.size for layer in layers)
        for number, (layer, line) in enumerate(zip(layers, created_by(platform.config, len(layers)), strict=True), start=1):
            style = "bold red" if layer.size > self._limit else ""
            table.add_row(
                Text(str(number), justify="right"),
                Text(format_size(layer.size), style=style, justify="right"),
                Text(format_share(layer.size, whole), justify="right"),
                Text(one_line(dockerfile_line(line))),
                key=str(number),
            )

    def _follow(self, table: "DataTable[Text]") -> None:
        platform = self._reading.platform
        assert platform is not None
        last = next(reversed(self._reading.began.copy()))
        number = next(at for at, layer in enumerate(platform.manifest.layers, 1) if layer.digest == last)
        if number != self._layer:
            self._layer = number
            with self.prevent(DataTable.RowHighlighted):
                table.move_cursor(row=number - 1)

    def _say(self) -> None:
        reading = self._reading
        if reading.error:
            said = Text(one_line(reading.error), style="bold red")
        elif reading.read is not None:
            said = Text(f"{self._name}: {plural(len(self._index), 'file')}{self._where()}")
        else:
            said = Text(f"{self._name}: reading {format_share(reading.done, reading.total)} of {format_size(reading.total)}")
        if reading.warnings:
            said.append(f"  {one_line(reading.warnings[-1])}", style="yellow")
        self.query_one("#status", Static).update(said, layout=False)
        about = self._layer, reading.platform is None
        if about != self._said:
            self._said = about
            self.query_one("#about", Static).update(self._about())

    def _where(self) -> str:
        return " in the image" if self._everything else f" in layer {self._layer}"

    def _about(self) -> RenderableType:
        platform = self._reading.platform
        if platform is None or not platform.manifest.layers:
            return Text("")
        layer = platform.manifest.layers[self._layer - 1]
        lines = created_by(platform.config, len(platform.manifest.layers))
        said = [Text(f"layer {self._layer}: {format_size(layer.size)}", style="bold"), Text(short(layer.digest), style="dim")]
        if layer.size > self._limit:
            parts = -(-layer.size // max(int(self._limit * _FILLED), 1))
            said.append(Text(f"above {format_size(self._limit)}: about {parts} parts", style="bold red"))
        line = one_line(dockerfile_line(lines[self._layer - 1]))
        if line:
            said.append(Text(line[:400]))
        return Group(*said)

    # Files

    def _current(self) -> tuple[object, ...]:
        """What should be on the screen."""
        text = self.query_one("#filter", Input).value
        read = self._reading.read
        if read is not None:
            return ("all" if self._everything else self._layer), text
        layer = self._being_read()
        return ("partial", layer.index if layer is not None else None, layer.costed if layer is not None else 0, text)

    def _being_read(self) -> LayerFiles | None:
        """The columns of the layer that is shown, as far as they are there."""
        platform = self._reading.platform
        if platform is None or not platform.manifest.layers:
            return None
        return self._reading.began.get(platform.manifest.layers[self._layer - 1].digest)

    def _refresh(self) -> None:
        """Has a list of files made if another one is due."""
        current = self._current()
        grows = current[0] == "partial" and self._shown[:2] == current[:2] and self._shown[-1:] == current[-1:]
        if current == self._shown or self._making or (grows and monotonic() < self._next):
            return
        self._making = True
        threading.Thread(target=self._make, args=(current,), name="index", daemon=True).start()

    def _make(self, current: tuple[object, ...]) -> None:
        began = monotonic()
        read, text = self._reading.read, str(current[-1])
        layer = self._being_read()
        if current[0] == "partial" or read is None:
            index = matching(so_far(layer), text) if layer is not None else Index([])
        elif current[0] == "all":
            index = matching(of_all(read.files), text)
        else:
            index = matching(of_layer(read.files, self._layer), text)
        took = monotonic() - began
        self._hand_over(lambda: self._show(current, index, took))

    def _show(self, current: tuple[object, ...], index: Index, took: float) -> None:
        if not self.query("#tree"):
            return  # as in `_look`
        grown = self._shown[:2] == current[:2]
        self._making = False
        self._wait = min(max(_LOOK, self._wait * _SLOWER, 4 * took), _SLOWEST) if grown else _LOOK
        self._next = monotonic() + self._wait
        self._shown, self._index = current, index
        tree = self.query_one("#tree", Tree)
        opened = set(self._opened(tree.root, "")) if grown else set()
        chosen = self._path(tree.cursor_node) if grown and tree.cursor_node is not None else None
        tree.clear()
        self._fill(tree.root, index.root, "", opened, depth=0, limit=MAX_SHOWN)
        tree.root.expand()
        if not opened:
            self._open_the_only_ones(tree.root)
        if chosen is not None:
            self._choose(tree, chosen)
        self._say()

    def _fill(self, node: "TreeNode[Entry]", folder: Shown, path: str, opened: set[str], depth: int, limit: int) -> None:
        assert folder.folder is not None
        children = self._index.children(folder.folder, by_name=self._by_name)
        for child in children[:limit]:
            label = self._label(child)
            if child.folder is None:
                node.add_leaf(label, child)
                continue
            below = f"{path}/{child.name}"
            added = node.add(label, child)
            if below in opened and depth < 64:
                self._fill(added, child, below, opened, depth + 1, MAX_SHOWN)
                added.expand()
        if len(children) > limit:
            rest = children[limit:]
            cost = format_size(sum(child.cost for child in rest))
            node.add_leaf(Text(f"… {len(rest):,} more, {cost}", style="italic"), _MORE)

    def _label(self, child: Shown) -> Text:
        indent = "" if child.folder is not None else "  "  # where directories have their arrow
        label = Text(f"{indent}{format_size(child.cost):>8}  ", style="dim" if child.folder is None else "bold")
        label.append(one_line(child.name) or "/", style=_STYLES[child.state])
        if child.folder is not None:
            label.append(f"/  {plural(child.files, 'file')}", style="dim")
        elif child.size:
            label.append(f"  {format_size(child.size)}", style="dim")
        return label

    def _opened(self, node: "TreeNode[Entry]", path: str) -> list[str]:
        found = []
        for child in node.children:
            if isinstance(child.data, Shown) and child.data.folder is not None and child.is_expanded:
                below = f"{path}/{child.data.name}"
                found += [below, *self._opened(child, below)]
        return found

    def _path(self, node: "TreeNode[Entry] | None") -> str:
        parts: list[str] = []
        while node is not None and node.parent is not None:
            parts.append(node.data.name if isinstance(node.data, Shown) else "")
            node = node.parent
        return "/".join(reversed(parts))

    def _choose(self, tree: "Tree[Entry]", path: str) -> None:
        node = tree.root
        for name in path.split("/"):
            found = next((child for child in node.children if isinstance(child.data, Shown) and child.data.name == name), None)
            if found is None:
                return
            node = found
        tree.move_cursor(node)

    def _open_the_only_ones(self, node: "TreeNode[Entry]") -> None:
        """Directories with nothing but a directory in them."""
        for _ in range(16):
            if len(node.children) != 1 or not isinstance(node.children[0].data, Shown) or node.children[0].data.folder is None:
                return
            node = node.children[0]
            self._fill_once(node)
            node.expand()

    def _fill_once(self, node: "TreeNode[Entry]") -> None:
        data = node.data
        if isinstance(data, Shown) and data.folder is not None and not node.children:
            self._fill(node, data, self._path(node), set(), depth=0, limit=MAX_SHOWN)

    # Summary and plan

    def _tell(self, name: str) -> None:
        """Once, when its tab is first looked at and everything was read."""
        if name in self._asked or self.query_one("#right", TabbedContent).active != name:
            return
        self._asked.add(name)
        self.query_one(f"#{name}-text", Static).update("One moment…")

        def work() -> None:
            told = self._told[name](self._reading)
            self._hand_over(lambda: self.query_one(f"#{name}-text", Static).update(told))

        threading.Thread(target=work, name=name, daemon=True).start()

    def _hand_over(self, show: Callable[[], None]) -> None:
        """From another thread to the screen, unless that is gone."""
        try:
            self.call_from_thread(show)
        except RuntimeError:
            if self.is_running:
                raise

    # What the user does

    @on(DataTable.RowHighlighted, "#layers")
    def _layer_chosen(self, event: DataTable.RowHighlighted) -> None:
        if event.cursor_row + 1 != self._layer:
            self._follows = False
            self._layer = event.cursor_row + 1
            self._everything = False
        self._say()
        self._refresh()

    @on(Tree.NodeExpanded, "#tree")
    def _expanded(self, event: "Tree.NodeExpanded[Entry]") -> None:
        self._fill_once(event.node)

    @on(Tree.NodeSelected, "#tree")
    def _selected(self, event: "Tree.NodeSelected[Entry]") -> None:
        node = event.node
        if node.data == _MORE and node.parent is not None:
            above = node.parent
            folder = above.data if isinstance(above.data, Shown) else self._index.root
            shown = len(above.children) - 1
            above.remove_children()
            self._fill(above, folder, self._path(above), set(), depth=0, limit=shown + MAX_SHOWN)

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self._refresh()

    @on(Input.Submitted, "#filter")
    def _found(self) -> None:
        self.query_one("#tree", Tree).focus()

    @on(TabbedContent.TabActivated, "#right")
    def _tab_chosen(self) -> None:
        self._look()

    def action_leave(self) -> None:
        self._reading.stop()
        self.exit()

    def action_all(self) -> None:
        self._everything = not self._everything
        self._refresh()

    def action_order(self) -> None:
        self._by_name = not self._by_name
        self._shown = (*self._shown[:1], None)
        self._refresh()

    def action_find(self) -> None:
        self.query_one("#right", TabbedContent).active = "files"
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def action_no_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.value = ""
        box.display = False
        self.query_one("#tree", Tree).focus()

    def action_tab(self, name: str) -> None:
        self.query_one("#right", TabbedContent).active = name
