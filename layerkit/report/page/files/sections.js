"use strict";
// The sections of a platform. Each returns null when there is nothing to say.

const FIRST_ROWS = 12;
const FEW_ROWS = 15; // of so many, all are shown
const MOST_PATHS = 3;

function section(id, title, lead, ...content) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), lead ? el("p", { class: "lead" }, lead) : null, content);
}

/** `columns`: [title, class, row → content]; of long tables the first rows, until the rest is asked for. */
function table(title, note, columns, rows, full = false) {
  if (rows.length === 0) return null;
  const heads = columns.map(([name, kind]) => el("th", { scope: "col", role: "columnheader", class: kind }, name));
  const body = el("tbody", { role: "rowgroup" });
  const most = Math.max(1, ...rows.map((row) => row.cost ?? 0));
  rows.forEach((row, index) => {
    const cells = columns.map(([, kind, content]) => el("td", { class: kind, role: "cell" }, content(row, most)));
    body.append(el("tr", { role: "row", class: index >= FIRST_ROWS && rows.length > FEW_ROWS ? "folded" : null }, cells));
  });
  const hidden = body.querySelectorAll(".folded").length;
  const more =
    hidden > 0
      ? el(
          "button",
          {
            type: "button",
            class: "more",
            onclick: () => {
              for (const row of body.querySelectorAll(".folded")) row.classList.remove("folded");
              more.remove();
            },
          },
          `${countText(hidden)} more`,
        )
      : null;
  return el(
    "div",
    { class: full ? "table full" : "table" },
    el("h3", {}, title),
    note ? el("p", { class: "note" }, note) : null,
    // With roles, for on narrow screens rows are no table's to a browser.
    el("table", { role: "table", "aria-label": title }, el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)), body),
    more,
  );
}

const cost = ["pushed", "n", (row) => sizeText(row.cost)];
const bar = ["", "bar", (row, most) => el("i", { "aria-hidden": "true", "--share": `${(100 * row.cost) / most}%` })];
const rawSize = ["size", "n raw", (row) => sizeText(row.size)];
const inLayer = ["layer", "n", (row) => String(row.layer)];
const fileCount = ["files", "n", (row) => countText(row.files)];

/** The column of a path; `map`: where it leads to, if it is there. */
function pathColumn(map) {
  return ["path", "wide", (row) => linked(map, row.path, row.layer)];
}

function linked(map, path, layer = null) {
  return map ? map.linkTo(path, layer) : pathText(path);
}

function named(title) {
  return [title, "wide", (row) => foreign(row.name, "name")];
}

function headline(data, platform) {
  const { contents, planned } = platform;
  const about = contents?.estimated ? "about " : "";
  const pushed = contents ? contents.cost : platform.size;
  const largest = platform.layers.reduce((most, layer) => (layer.size > (most?.size ?? -1) ? layer : most), null);
  const best = platform.advice.filter((advice) => advice.gain > 0).sort((one, other) => other.gain - one.gain)[0];
  const tiles = [tile("To push", `${about}${sizeText(pushed)}`, `${plural(platform.layerCount, "layer")}${contents ? `, ${sizeText(contents.size)} unpacked` : ""}`)];
  if (largest) {
    const times = largest.size / data.limit;
    const how = largest.exceeds ? `${times.toFixed(times < 9.95 ? 1 : 0)} × the limit of ${sizeText(data.limit)}` : `limit ${sizeText(data.limit)}`;
    tiles.push(tile("Largest layer", sizeText(largest.size), `layer ${largest.number}, ${how}`, largest.exceeds ? "bad" : "good", { size: largest.size, limit: data.limit }));
  }
  if (planned && planned.afterCount > 0) {
    const time = planned.seconds === null ? "" : ` in ${secondsText(planned.seconds)}`;
    const most = Math.max(0, ...planned.after.map((layer) => layer.size));
    tiles.push(tile("After fix-and-push", plural(planned.afterCount, "layer"), `the largest ${sizeText(most)}; sends ${sizeText(planned.send)}${time}`, most > planned.limit ? "bad" : "good"));
  }
  if (contents) {
    const share = shareText(contents.wasted_cost, contents.cost);
    tiles.push(tile("Pushed, never seen", sizeText(contents.wasted_cost), contents.wasted_cost > 0 ? `${share}: replaced or deleted by later layers` : "no file is replaced or deleted"));
  }
  if (best) tiles.push(tile("Would help most", `−${sizeText(best.gain)}`, best.title));
  return el("div", { class: "headline" }, verdict(data, platform), el("div", { class: "tiles" }, tiles));
}

function tile(name, value, sub, mood = "", meter = null) {
  return el(
    "div",
    { class: `tile ${mood}` },
    el("span", { class: "tile-name" }, name),
    el("b", {}, value),
    meter ? limitMeter(meter.size, meter.limit) : null,
    el("span", { class: "tile-sub" }, sub),
  );
}

/** How large something is, and where the limit is. */
function limitMeter(size, limit) {
  const end = Math.max(size, limit, 1);
  const mark = size > limit ? el("u", { "--share": `${(100 * limit) / end}%` }) : null;
  return el("span", { class: "meter", "aria-hidden": "true" }, el("i", { "--share": `${(100 * size) / end}%` }), mark);
}

/** In one sentence: would it go through, and what makes it. */
function verdict(data, platform) {
  const over = platform.overCount;
  const split = platform.planned ? platform.planned.after.filter((layer) => layer.part > 0).length : 0;
  if (platform.layerCount === 0) return sentence("", "This image has no layers.", "There is nothing to push but its config.");
  if (over > 0) {
    const which = over === 1 ? `Layer ${platform.over[0]} is` : `${countText(over)} of ${plural(platform.layerCount, "layer")} are`;
    const help = split > 0 ? `layerkit fix-and-push makes ${split} parts of ${over === 1 ? "it" : "them"}.` : `layerkit fix-and-push splits ${over === 1 ? "it" : "them"}.`;
    return sentence("bad", `${which} above the limit of ${sizeText(data.limit)}.`, help);
  }
  const which = platform.layerCount === 1 ? "Its layer is" : platform.layerCount === 2 ? "Both layers are" : `All ${plural(platform.layerCount, "layer")} are`;
  if (data.findingCount > 0) {
    return sentence("warn", `${which} within the limit of ${sizeText(data.limit)}.`, `A registry may still refuse it: ${plural(data.findingCount, "finding")}.`);
  }
  return sentence("good", `${which} within the limit of ${sizeText(data.limit)}.`, "Nothing stands in the way of a push.");
}

function sentence(mood, main, help) {
  return el("p", { class: `verdict ${mood}` }, el("b", {}, main), " ", el("span", {}, help));
}

function findingsSection(data) {
  if (data.findings.length === 0) return null;
  const more = data.findingCount - data.findings.length;
  return section(
    "findings",
    "Findings",
    "What a registry would refuse, as layerkit check tells it.",
    el(
      "ul",
      { class: "findings" },
      data.findings.map((finding) =>
        el(
          "li",
          {},
          el("code", { class: "code" }, finding.code),
          el("div", {}, el("p", {}, el("b", {}, foreign(finding.where, "name")), " ", foreign(finding.message, "name")), el("p", { class: "help" }, foreign(finding.advice, "name"))),
        ),
      ),
    ),
    more > 0 ? el("p", { class: "note" }, `and ${plural(more, "finding")} more`) : null,
  );
}

function adviceSection(platform, map, id) {
  if (platform.advice.length === 0) return null;
  const most = Math.max(...platform.advice.map((advice) => advice.gain));
  return section(
    `${id}advice`,
    "What would help",
    "Bytes that are no longer pushed, what saves most first. Gains may overlap.",
    el(
      "ol",
      { class: "advice" },
      platform.advice.map((advice) =>
        el(
          "li",
          {},
          el("div", { class: "gain" }, advice.gain > 0 ? [el("b", {}, `−${sizeText(advice.gain)}`), el("span", { class: "meter" }, el("i", { "--share": `${(100 * advice.gain) / most}%` }))] : null),
          el(
            "div",
            {},
            el("h3", {}, foreign(advice.title, "name")),
            advice.step || advice.layer !== null
              ? el("p", { class: "step" }, advice.layer === null ? null : el("span", { class: "meta" }, `layer ${advice.layer} `), foreign(advice.step))
              : null,
            el("p", { class: "help" }, helpText(advice.help)),
            advice.paths.length > 0 ? el("ul", { class: "paths" }, advice.paths.map((one) => el("li", {}, linked(map, one, advice.layer)))) : null,
          ),
        ),
      ),
    ),
  );
}

/** Text in which what is between backticks is code. */
function helpText(text) {
  return text.split("`").map((piece, index) => (index % 2 === 1 ? el("code", {}, piece) : piece));
}

function layersSection(platform, data, id) {
  if (platform.layers.length === 0) return null;
  return section(`${id}layers`, "Layers", null, layerChart(platform, data.limit));
}

function planSection(platform, id) {
  const { planned } = platform;
  if (!planned || planned.afterCount === 0) return null;
  const there = planned.after.filter((layer) => layer.there === true).length;
  const told = planned.after.some((layer) => layer.there !== null);
  const split = planned.after.some((layer) => layer.part > 0);
  const become = split ? `${plural(planned.beforeCount, "layer")} become ${countText(planned.afterCount)}, ${sizeText(planned.afterSize)} in all.` : "No layer is split.";
  const lead = [
    `${become} A push sends ${sizeText(planned.send)}`,
    planned.seconds === null ? "" : `, in about ${secondsText(planned.seconds)}`,
    told ? `; ${there === 0 ? "no layer is" : there === 1 ? "1 layer is" : `${there} layers are`} there already.` : ".",
  ].join("");
  const columns = [
    ["#", "n id", (layer) => String(layer.number)],
    ["size", "n", (layer) => sizeText(layer.size)],
    told ? ["registry", "short", (layer) => (layer.there === null ? "not known" : layer.there ? "has it" : "to send")] : null,
    ["what it is", "wide", plannedText],
  ].filter(Boolean);
  return section(
    `${id}plan`,
    "Before and after",
    lead,
    split ? beforeAndAfter(planned) : null,
    table("Layers as they are pushed", null, columns, planned.after),
    planned.takenOut.length > 0 ? [el("h3", {}, "Taken out"), el("ul", { class: "plain" }, planned.takenOut.map((one) => el("li", {}, foreign(one, "name"))))] : null,
  );
}

function plannedText(layer) {
  const what = layer.part ? `part ${layer.part} of ${layer.parts} of layer ${layer.source}` : `layer ${layer.source} as it is`;
  const held = layer.holds.map((one) => el("span", { class: "held" }, foreign(one, "path")));
  return [what, held.length > 0 ? el("span", { class: "holds" }, held) : null];
}

function mapOf(platform, data, id) {
  return platform.tree && platform.tree.cost[0] > 0 ? new CostMap(platform, data.limit, `${id}map`) : null;
}

function mapSection(map) {
  if (!map) return null;
  const lead = "Rectangles are as large as what files cost to push: layers, and in them directories and files.";
  return section(map.id, "Map", lead, map.element);
}

function contentsSection(platform, map, id) {
  const { contents } = platform;
  if (!contents) return null;
  const whole = contents.cost;
  const packages = `${plural(contents.package_count, "package")} with ${sizeText(contents.packaged_cost)}, ${shareText(contents.packaged_cost, whole)} of what is pushed`;
  const tables = [
    table("Largest files", null, [cost, bar, rawSize, inLayer, pathColumn(map)], contents.largest, true),
    table("Largest directories", null, [cost, bar, rawSize, fileCount, ["path", "wide", (row) => linked(map, row.name)]], contents.directories, true),
    table("Packages", packages, [cost, bar, rawSize, ["kind", "short", (row) => row.kind], ["package", "wide", (row) => [foreign(row.name, "name"), " ", el("span", { class: "meta" }, foreign(row.version, "name"))]]], contents.packages),
    table("Types", null, [cost, bar, rawSize, fileCount, named("type")], contents.types),
    table("Suffixes", null, [cost, bar, rawSize, fileCount, named("suffix")], contents.suffixes),
  ].filter(Boolean);
  if (tables.length === 0) return null;
  const lead = `${plural(contents.files, "file")} of ${sizeText(contents.size)}, which cost ${sizeText(contents.files_cost)} to push${contents.estimated ? " (an estimate: uncompressed layers are counted as gzip)" : ""}.`;
  return section(`${id}contents`, "What is in it", lead, el("div", { class: "tables" }, tables));
}

function wasteSection(platform, map, id) {
  const { contents } = platform;
  if (!contents) return null;
  const tables = [
    table("Replaced or deleted by later layers", `${sizeText(contents.wasted_cost)} that nobody sees`, [cost, bar, rawSize, ["layer", "n", (row) => `${row.layer} → ${row.by}`], pathColumn(map)], contents.wasted, true),
    table(
      "Held again by later layers, unchanged but for owner, mode or time",
      "A chmod or chown in a step of its own copies every file",
      [cost, bar, rawSize, fileCount, ["layer", "n", (row) => `${row.of} → ${row.layer}`], ["step", "wide", (row) => foreign(stepOf(platform, row.layer))]],
      contents.rewritten,
      true,
    ),
    table(
      "Files with the same content",
      `${sizeText(contents.duplicated_cost)} of copies`,
      [cost, bar, ["copies", "n", (row) => countText(row.copies)], ["paths", "wide", copiesText]],
      contents.duplicates,
      true,
    ),
  ].filter(Boolean);
  if (tables.length === 0) return null;
  return section(`${id}waste`, "Waste", null, el("div", { class: "tables" }, tables));
}

function stepOf(platform, number) {
  return platform.layers.find((layer) => layer.number === number)?.command ?? "";
}

function copiesText(row) {
  const shown = row.paths.slice(0, MOST_PATHS);
  const more = row.copies - shown.length;
  return el("span", { class: "holds" }, shown.map((one) => el("span", { class: "held" }, pathText(one))), more > 0 ? el("span", { class: "note" }, `and ${countText(more)} more`) : null);
}

function permissionsSection(platform, map, id) {
  const { contents } = platform;
  if (!contents) return null;
  const mode = ["mode", "n", (row) => el("code", {}, row.mode.toString(8).padStart(4, "0"))];
  const counted = (count, rows) => (count > rows.length ? `${countText(count)}, of which these come first` : null);
  const tables = [
    table("Run as their owner or group (setuid, setgid)", counted(contents.privileged_count, contents.privileged), [mode, inLayer, pathColumn(map)], contents.privileged),
    table("Written by anyone", counted(contents.writable_count, contents.writable), [mode, inLayer, pathColumn(map)], contents.writable),
  ].filter(Boolean);
  if (tables.length === 0) return null;
  return section(`${id}permissions`, "Privileged and writable", null, el("div", { class: "tables" }, tables));
}
