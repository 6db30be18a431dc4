"use strict";
// A map of the files: every rectangle is as large as what it costs to push. It opens where it is clicked, and it can be searched.

const DEEPEST = 6; // levels drawn at once
const HEADER = 18; // pixels
const PAPER = { clientWidth: 700, clientHeight: 416 }; // between A4 and Letter, as page.css has it
const MOST_MATCHES = 50;

class CostMap {
  constructor(platform, limit, id) {
    this.id = id;
    this.nodes = treeOf(platform.tree, platform.layers);
    this.image = this.nodes[0];
    this.limit = limit;
    this.at = this.image.children.length === 1 ? this.image.children[0] : this.image;
    this.marks = null; // by node while searching: "hit", or "above" for what a hit is in
    this.focus = null;
    this.cells = new Map(); // by node: what is drawn
    this.around = new Map(); // by node: what is drawn around it, and in it
    this.crumbs = el("ol", { class: "crumbs" });
    this.frame = el("div", { class: "map", role: "tree", "aria-label": "Files by what they cost to push" });
    this.readout = el("p", { class: "readout", "aria-live": "polite" });
    this.found = el("div", { class: "found", hidden: true });
    this.search = el("input", {
      type: "search",
      placeholder: "Search files and directories",
      "aria-label": "Search files and directories of the map",
      spellcheck: "false",
      autocomplete: "off",
      maxlength: "200",
      oninput: () => this.searchFor(this.search.value),
      onkeydown: (event) => {
        if (event.key !== "Escape") return;
        this.search.value = "";
        this.searchFor("");
      },
    });
    this.frame.addEventListener("click", (event) => this.clicked(event));
    this.frame.addEventListener("keydown", (event) => this.pressed(event));
    this.frame.addEventListener("focusin", (event) => this.tell(this.nodeAt(event)));
    this.frame.addEventListener("mouseover", (event) => this.tell(this.nodeAt(event)));
    this.frame.addEventListener("mouseleave", () => this.tell(this.focus));
    this.element = el(
      "div",
      { class: "mapping" },
      el("div", { class: "map-bar" }, el("nav", { "aria-label": "Where the map is" }, this.crumbs), this.search),
      this.found,
      this.frame,
      this.readout,
      this.legend(),
      el("p", { class: "note keys" }, "Click or Enter opens, Esc or Backspace goes up, arrows move: ← → beside, ↓ into, ↑ out of."),
    );
    new ResizeObserver(() => this.draw()).observe(this.frame);
    addEventListener("beforeprint", () => this.draw(PAPER));
    addEventListener("afterprint", () => this.draw());
    this.tell(null);
  }

  /** The node of a path in a layer; without a layer, the one that costs most. */
  nodeOf(path, layer = null) {
    return this.nodes.find((node) => node.path === path && (layer === null || layerOf(node).name === String(layer))) ?? null;
  }

  /** A path that leads to its place on the map, if it has one there. */
  linkTo(path, layer = null) {
    const node = this.nodeOf(path, layer);
    if (node === null) return pathText(path);
    const show = (event) => {
      event.preventDefault();
      this.go(node.parent, node);
      this.element.closest("section").scrollIntoView();
    };
    return el("a", { class: "to-map", href: `#${this.id}`, title: "Show on the map", onclick: show }, pathText(path));
  }

  legend() {
    const kinds = ALL_KINDS.map(([id, label], index) => ({ id, label, cost: this.image.kinds[index] })).filter((kind) => kind.cost > 0);
    return el(
      "ul",
      { class: "legend", "aria-label": "Colours: what most of a rectangle is, by file names" },
      kinds.map((kind) => el("li", {}, el("span", { class: `swatch kind-${kind.id}` }), kind.label, el("span", { class: "meta" }, sizeText(kind.cost)))),
    );
  }

  nodeAt(event) {
    const cell = event.target.closest(".cell");
    return cell ? this.nodes[Number(cell.dataset.node)] : null;
  }

  clicked(event) {
    const node = this.nodeAt(event);
    if (node) this.open(node);
  }

  /** A directory opens; of a file, the directory that it is in. */
  open(node) {
    const target = node.children.length > 0 ? node : node.parent;
    if (target !== this.at && this.isWithin(target)) this.go(target, node === target ? null : node);
    else this.focusOn(node);
  }

  isWithin(node) {
    for (let at = node; at; at = at.parent) if (at === this.at) return true;
    return false;
  }

  /** Makes `node` the whole map; `focus` or what costs most is what the keyboard is at. */
  go(node, focus = null) {
    this.at = node;
    this.focus = null;
    this.draw();
    this.focusOn(focus && this.cells.has(focus) ? focus : [...this.cells.keys()][0]);
  }

  up() {
    let to = this.at.parent;
    // Not to where all but this directory is next to nothing.
    while (to && to.depth > 1 && innermost(to) === this.at) to = to.parent;
    if (to) this.go(to, this.at);
  }

  /** What is drawn in a node, as d3 takes it: `depth` levels of it. */
  drawn(node, depth) {
    const inner = innermost(node);
    const names = [];
    for (let at = inner; at !== node; at = at.parent) names.unshift(at.name);
    return {
      node: inner,
      label: [node.label, ...names].join("/"),
      children: depth > 0 ? inner.children.filter((child) => child.cost > 0).map((child) => this.drawn(child, depth - 1)) : null,
    };
  }

  focusOn(node) {
    if (!node || !this.cells.has(node)) return;
    if (this.focus) this.cells.get(this.focus)?.setAttribute("tabindex", "-1");
    this.focus = node;
    const cell = this.cells.get(node);
    cell.setAttribute("tabindex", "0");
    cell.focus();
  }

  pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const node = this.nodeAt(event);
    if (!node) return;
    const around = this.around.get(node);
    const siblings = around.parent.children.map((child) => child.data.node).filter((child) => this.cells.has(child));
    const place = siblings.indexOf(node);
    const inside = (around.children ?? []).map((child) => child.data.node);
    const moves = {
      ArrowRight: () => this.focusOn(siblings[place + 1]),
      ArrowLeft: () => this.focusOn(siblings[place - 1]),
      ArrowDown: () => this.focusOn(inside.find((child) => this.cells.has(child))),
      ArrowUp: () => this.focusOn(around.parent.data.node),
      Home: () => this.focusOn(siblings[0]),
      End: () => this.focusOn(siblings.at(-1)),
      Enter: () => this.open(node),
      " ": () => this.open(node),
      Escape: () => this.up(),
      Backspace: () => this.up(),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  }

  tell(node) {
    const about = node ?? this.at;
    this.readout.replaceChildren(
      el("b", {}, sizeText(about.cost)),
      ` pushed, ${shareText(about.cost, this.image.cost)} of all files; ${plural(about.files, "file")} of ${sizeText(about.size)}`,
      el("span", { class: "where" }, foreign(nameInFull(about), "path")),
    );
  }

  searchFor(text) {
    const query = text.trim().toLowerCase();
    this.marks = null;
    this.found.hidden = query === "";
    if (query === "") {
      this.found.replaceChildren();
      this.draw();
      return;
    }
    const fits = query.includes("/") ? (node) => node.path.toLowerCase().includes(query) : (node) => node.name.toLowerCase().includes(query);
    const isMatch = (node) => node.depth > 1 && node.name !== REST && fits(node);
    this.marks = new Map();
    const matches = [];
    let cost = 0;
    for (const node of this.nodes) {
      // Those above come first. What is in a match is marked with it.
      const inMatch = node.parent !== null && this.marks.get(node.parent) === "hit";
      if (!inMatch && !isMatch(node)) continue;
      this.marks.set(node, "hit");
      if (inMatch && (query.includes("/") || !isMatch(node))) continue;
      matches.push(node);
      if (inMatch) continue;
      cost += node.cost;
      for (let at = node.parent; at && !this.marks.has(at); at = at.parent) this.marks.set(at, "above");
    }
    matches.sort((one, other) => other.cost - one.cost);
    const together = this.image.children.length > 0 && this.nodes.some((node) => node.name === REST);
    this.found.replaceChildren(
      el(
        "p",
        { role: "status" },
        el("b", {}, matches.length === 1 ? "1 match" : `${countText(matches.length)} matches`),
        matches.length > 0 ? `, ${sizeText(cost)}` : "",
        matches.length > MOST_MATCHES ? `; the ${MOST_MATCHES} that cost most` : "",
        together ? el("span", { class: "meta" }, " What is small was drawn together, and isn't searched.") : null,
      ),
      el(
        "ol",
        {},
        matches.slice(0, MOST_MATCHES).map((node) =>
          el(
            "li",
            {},
            el(
              "button",
              { type: "button", onclick: () => this.go(node.parent, node) },
              el("span", { class: "size" }, sizeText(node.cost)),
              pathText(node.path),
              el("span", { class: "meta" }, layerOf(node).label.toLowerCase()),
            ),
          ),
        ),
      ),
    );
    this.draw();
  }

  /** Anew, for the size that the frame has now, or will have on paper. */
  draw({ clientWidth: width, clientHeight: height } = this.frame) {
    if (width === 0 || height === 0) return;
    const inside = this.at.children.filter((child) => child.cost > 0).map((child) => this.drawn(child, DEEPEST - 1));
    const top = d3.hierarchy({ node: this.at, label: this.at.label, children: inside });
    top.each((found) => (found.value = found.data.node.value));
    const isSeen = (found) => found.x1 - found.x0 >= 2 && found.y1 - found.y0 >= 2;
    const opens = (found) => Boolean(found.children) && found.x1 - found.x0 >= 46 && found.y1 - found.y0 >= 34;
    d3
      .treemap()
      .size([width, height])
      .round(true)
      .tile(d3.treemapSquarify.ratio(1.4))
      .paddingInner(1)
      .paddingOuter((found) => (found.depth && opens(found) ? 2 : 0))
      .paddingTop((found) => (found.depth && opens(found) ? HEADER : 0))(top);
    const hadFocus = this.frame.contains(document.activeElement);
    this.cells.clear();
    this.around = new Map();
    top.each((found) => this.around.set(found.data.node, found));
    const places = new Map(this.nodes.map((node, index) => [node, index]));
    const drawIn = (parent, found) => {
      const w = found.x1 - found.x0;
      const h = found.y1 - found.y0;
      for (const child of found.children ?? []) {
        if (!isSeen(child)) continue;
        const opened = opens(child) && child.children.some(isSeen);
        const cell = this.cell(child, opened, places.get(child.data.node));
        cell.style.left = `${(100 * (child.x0 - found.x0)) / w}%`;
        cell.style.top = `${(100 * (child.y0 - found.y0)) / h}%`;
        cell.style.width = `${(100 * (child.x1 - child.x0)) / w}%`;
        cell.style.height = `${(100 * (child.y1 - child.y0)) / h}%`;
        parent.append(cell);
        if (opened) {
          const group = el("div", { role: "group", class: "inside" });
          cell.append(group);
          drawIn(group, child);
        }
      }
    };
    const whole = el("div", { role: "group", class: "inside" });
    drawIn(whole, top);
    this.frame.replaceChildren(whole);
    this.drawCrumbs();
    const reached = this.cells.get(this.focus) ?? [...this.cells.values()][0];
    reached?.setAttribute("tabindex", "0");
    if (hadFocus) reached?.focus({ preventScroll: true });
    if (!this.cells.has(this.focus)) this.tell(null);
  }

  cell(found, opened, place) {
    const { node, label: short } = found.data;
    const over = node.depth === 1 && node.layer?.exceeds;
    const w = found.x1 - found.x0;
    const h = found.y1 - found.y0;
    const look = opened ? "open" : `kind-${ALL_KINDS[node.kind][0]}`;
    const mark = this.marks ? (this.marks.get(node) ?? "miss") : "";
    const cell = el("div", {
      class: `cell ${look} ${mark}${over ? " over" : ""}`,
      role: "treeitem",
      tabindex: "-1",
      "data-node": String(place),
      "aria-level": String(found.depth),
      "aria-expanded": node.children.length > 0 ? String(opened) : null,
      "aria-label": `${nameInFull(node)}: ${sizeText(node.cost)}, ${plural(node.files, "file")}`,
    });
    if (w >= 30 && h >= 15) {
      const label = node.depth === 1 && node.layer?.command && opened ? `${node.label} · ${node.layer.command}` : short;
      const tall = !opened && h >= 32;
      const withCost = opened ? w >= 110 : tall && w >= 58;
      cell.append(
        el(
          "span",
          { class: tall ? "label tall" : "label" },
          foreign(node.name === REST ? `… ${countText(node.files)} more` : label, "name"),
          withCost ? el("span", { class: "cost" }, sizeText(node.cost)) : null,
          over && opened && w >= 260 ? el("span", { class: "flag" }, "above the limit") : null,
        ),
      );
    }
    this.cells.set(node, cell);
    return cell;
  }

  /** The way from the image to here; directories that are drawn as one are one step. */
  drawCrumbs() {
    const steps = [];
    for (const node of wayTo(this.at)) {
      const last = steps.at(-1);
      if (last && wayTo(innermost(last.first)).includes(node)) {
        last.node = node;
        last.label += `/${node.label}`;
      } else steps.push({ first: node, node, label: node.label });
    }
    this.crumbs.replaceChildren(
      ...steps.map((step) =>
        el(
          "li",
          {},
          step.node === this.at
            ? el("span", { "aria-current": "location" }, foreign(step.label, "name"))
            : el("button", { type: "button", onclick: () => this.go(step.node) }, foreign(step.label, "name")),
        ),
      ),
    );
  }
}
