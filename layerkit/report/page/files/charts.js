"use strict";
// Bars with the limit drawn in. Axes have whole numbers only.

/** A scale up to `largest` bytes, with about five ticks that are whole numbers of one unit. */
function sizeScale(largest) {
  const goal = Math.max(largest, 1) / 5;
  const power = 10 ** Math.floor(Math.log10(goal));
  const step = Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= goal) * power);
  let unit = 0;
  while (unit < UNITS.length - 1 && step >= 1000 ** (unit + 1)) unit += 1;
  const end = Math.max(largest, step);
  const ticks = [];
  for (let value = 0; value <= end; value += step) {
    ticks.push({ value, label: value === 0 ? "0" : `${countText(Math.round(value / 1000 ** unit))} ${UNITS[unit]}` });
  }
  return { end, ticks, at: (value) => `${(100 * Math.min(value, end)) / end}%` };
}

/** The limit belongs on an axis as long as it doesn't make all else tiny there. */
function endWithLimit(largest, limit) {
  return limit <= 3 * largest ? Math.max(largest, limit) * 1.04 : largest * 1.04;
}

function limitNote(largest, limit) {
  return limit <= 3 * largest ? `limit ${sizeText(limit)}` : `limit ${sizeText(limit)}, beyond this axis`;
}

const MOST_SINGLE_ROWS = 24;
const SMALL_SHARE = 0.005;

/** One row for each layer, from the bottom one up; of many layers, runs of small ones are one row that opens. */
function layerChart(platform, limit) {
  const largest = Math.max(1, ...platform.layers.map((layer) => layer.size));
  const scale = sizeScale(endWithLimit(largest, limit));
  const within = limit <= 3 * largest;
  const axis = el(
    "div",
    { class: "axis", "aria-hidden": "true" },
    scale.ticks.map((tick) => el("span", { class: tick.value > 0.92 * scale.end ? "last" : null, "--at": scale.at(tick.value) }, tick.label)),
  );
  const rows = el("div", { class: "rows", role: "list" });
  for (const run of layerRuns(platform)) rows.append(...layerRows(run, platform, scale, limit));
  return el(
    "div",
    { class: within ? "layers with-limit" : "layers", "--limit": scale.at(limit) },
    el(
      "div",
      { class: "key" },
      el("span", { class: "swatch within" }),
      "within the limit",
      platform.overCount > 0 ? [el("span", { class: "swatch over" }), "above it"] : null,
      within ? el("span", { class: "swatch line" }) : null,
      limitNote(largest, limit),
      platform.layers.some((layer) => layer.found?.estimated)
        ? [el("span", { class: "swatch plain" }), "uncompressed as it is; the bar is an estimate of it as gzip"]
        : null,
    ),
    el("div", { class: "row head" }, el("span"), el("span"), axis, el("span")),
    rows,
    platform.layerCount > platform.layers.length
      ? el("p", { class: "note" }, `and ${plural(platform.layerCount - platform.layers.length, "layer")} more`)
      : null,
  );
}

/** Lists of layers: each alone, or small neighbours together. */
function layerRuns(platform) {
  if (platform.layers.length <= MOST_SINGLE_ROWS) return platform.layers.map((layer) => [layer]);
  const runs = [];
  let small = null;
  for (const layer of platform.layers) {
    if (layer.size >= SMALL_SHARE * platform.size || layer.exceeds || !layer.present) {
      small = null;
      runs.push([layer]);
    } else if (small) small.push(layer);
    else runs.push((small = [layer]));
  }
  return runs;
}

function layerRows(run, platform, scale, limit) {
  const rows = run.map((layer) => layerRow(layer, platform, scale, limit));
  if (run.length < 3) return rows;
  const total = run.reduce((sum, layer) => sum + layer.size, 0);
  for (const row of rows) row.classList.add("folded");
  const open = el(
    "button",
    {
      type: "button",
      class: "more",
      "aria-expanded": "false",
      onclick: () => {
        const expanded = open.getAttribute("aria-expanded") === "true";
        open.setAttribute("aria-expanded", String(!expanded));
        for (const row of rows) row.classList.toggle("folded", expanded);
      },
    },
    plural(run.length, "small layer"),
  );
  const range = `${run[0].number}–${run.at(-1).number}`;
  const head = el(
    "div",
    { class: "row run", role: "listitem" },
    el("span", { class: "number" }, range),
    el("span", { class: "size" }, sizeText(total)),
    el("span", { class: "track" }, el("span", { class: "bar", "--share": scale.at(total) })),
    el("span", { class: "what" }, open, el("span", { class: "meta" }, `${shareText(total, platform.size)} of the image together`)),
  );
  return [head, ...rows];
}

function layerRow(layer, platform, scale, limit) {
  const found = layer.found;
  const estimated = found !== null && found.estimated;
  const repeated = layer.first !== layer.number;
  const meta = [
    `${shareText(layer.size, platform.size)} of the image`,
    layer.exceeds ? `${(layer.size / limit).toFixed(1)} × the limit` : null,
    repeated ? `the same as layer ${layer.first}: pushed once` : null,
    estimated && !repeated ? `about ${sizeText(found.cost)} as gzip` : null,
    found && !repeated ? `${plural(found.files, "file")}, ${sizeText(found.rawSize)} unpacked` : null,
    layer.present ? null : "not in the file",
    layer.type === "none" ? "uncompressed" : layer.type,
    layer.digest,
  ];
  return el(
    "div",
    { class: layer.exceeds ? "row over" : "row", role: "listitem" },
    el("span", { class: "number" }, String(layer.number)),
    el("span", { class: "size" }, sizeText(layer.size)),
    el(
      "span",
      { class: "track" },
      el("span", { class: "whole", "--share": scale.at(layer.size) }),
      el("span", { class: "bar", "--share": scale.at(estimated && !repeated ? found.cost : layer.size) }),
    ),
    el(
      "span",
      { class: "what" },
      layer.command ? foreign(layer.command) : el("span", { class: "meta" }, "the history doesn't say what made it"),
      el("span", { class: "meta" }, meta.filter(Boolean).join(" · ")),
    ),
  );
}

/** Two charts of columns on one scale, side by side: the layers as they are, and as they are pushed. */
function beforeAndAfter(planned) {
  const sizes = planned.after.map((layer) => layer.size);
  const largest = Math.max(1, ...planned.before, ...sizes);
  const scale = sizeScale(endWithLimit(largest, planned.limit));
  const limit = planned.limit <= 3 * largest ? planned.limit : null;
  const before = planned.before.map((size, index) => ({ size, label: `layer ${index + 1}`, over: size > planned.limit }));
  const after = planned.after.map((layer) => ({
    size: layer.size,
    label: layer.part ? `part ${layer.part} of ${layer.parts} of layer ${layer.source}` : `layer ${layer.source} as it is`,
    over: layer.size > planned.limit,
    part: layer.part > 0,
  }));
  return el(
    "div",
    { class: "pair" },
    columnChart("Before", plural(planned.beforeCount, "layer"), before, scale, limit),
    columnChart("After", plural(planned.afterCount, "layer"), after, scale, limit),
  );
}

function columnChart(title, sub, columns, scale, limit) {
  const largest = columns.reduce((most, column) => Math.max(most, column.size), 0);
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((step) => columns.length / step <= 12) ?? 1000;
  const label = `${title}: ${sub}, the largest ${sizeText(largest)}${limit === null ? "" : `, the limit ${sizeText(limit)}`}`;
  return el(
    "figure",
    { class: "columns" },
    el("figcaption", {}, el("b", {}, title), el("span", {}, `${sub}, the largest ${sizeText(largest)}`)),
    el(
      "div",
      { class: "plot", role: "img", "aria-label": label },
      scale.ticks.map((tick) => el("div", { class: "grid", "--at": scale.at(tick.value) }, el("span", {}, tick.label))),
      limit === null ? null : el("div", { class: "limit", "--at": scale.at(limit) }, el("span", {}, `limit ${sizeText(limit)}`)),
      el(
        "div",
        { class: columns.length > 60 ? "bars many" : "bars" },
        columns.map((column, index) =>
          el(
            "div",
            { class: `column${column.over ? " over" : ""}${column.part ? " part" : ""}`, title: `${column.label}: ${sizeText(column.size)}` },
            el("i", { "--share": scale.at(column.size) }, columns.length <= 10 ? el("b", {}, sizeText(column.size)) : null),
            el("span", {}, (index + 1) % every === 0 || (index === 0 && every < 10) ? String(index + 1) : ""),
          ),
        ),
      ),
    ),
  );
}
