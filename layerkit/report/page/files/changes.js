"use strict";
// What one release adds to another.

const MARKS = { added: "added", removed: "removed", changed: "changed" };

function changesPart(platform, index) {
  const id = index === 0 ? "" : `p${index + 1}-`;
  return el(
    "div",
    { class: "platform", id: `platform-${index + 1}`, "data-index": String(index) },
    changesHeadline(platform),
    newLayersSection(platform, id),
    packagesSection(platform, id),
    changedFilesSection(platform, id),
    el("div", { class: "notes" }, el("p", { class: "note" }, "Costs are what files take of the compressed layers. Owners, modes and times don't count here: layerkit verify compares those.")),
  );
}

function changesHeadline(platform) {
  const { added, removed, changed, changed_before: before } = platform;
  const sent = platform.send;
  const again = platform.unchanged;
  const verdict =
    sent === 0
      ? sentence("good", "All layers are the same.", "A push sends none of them where the old image is.")
      : sentence("", `A push sends ${sizeText(sent)} where the old image is.`, again > 0 ? `About ${sizeText(again)} of it didn't change: ${shareText(again, sent)}.` : "");
  const tiles = [
    tile("Added", sizeText(added.cost), plural(added.files, "file")),
    tile("Changed", sizeText(changed.cost), `${plural(changed.files, "file")}, ${sizeText(before.cost)} before`),
    tile("Removed", sizeText(removed.cost), plural(removed.files, "file")),
    tile("In all", sizeText(platform.after.cost), `${sizeText(platform.before.cost)} before`),
  ];
  return el("div", { class: "headline" }, verdict, el("div", { class: "tiles" }, tiles));
}

const costBefore = ["before", "n", (row) => (row.cost_before > 0 ? sizeText(row.cost_before) : "–")];
const costAfter = ["after", "n", (row) => (row.cost > 0 ? sizeText(row.cost) : "–")];

function newLayersSection(platform, id) {
  const columns = [
    ["#", "n id", (row) => String(row.number)],
    ["size", "n", (row) => sizeText(row.size)],
    ["unchanged", "n", (row) => (row.unchanged > 0 ? sizeText(row.unchanged) : "–")],
    ["the old image", "short", (row) => (row.shared ? "has it" : "hasn't it")],
    ["made by", "wide", (row) => foreign(row.command)],
  ];
  if (platform.layers.length === 0) return null;
  const fresh = platform.layers.filter((layer) => !layer.shared).length;
  const lead = `${countText(fresh)} of ${plural(platform.layerCount, "layer")} are new. Unchanged are files that the old image has at the same path with the same content.`;
  return section(`${id}layers`, "Layers", lead, table("Layers of the new image", null, columns, platform.layers));
}

function packagesSection(platform, id) {
  const versions = (row) => (row.version_before && row.version ? `${row.version_before} → ${row.version}` : row.version ? `${row.version}, added` : `${row.version_before}, removed`);
  const name = ["package", "wide", (row) => [foreign(row.name, "name"), " ", el("span", { class: "meta" }, foreign(versions(row), "name"))]];
  const found = table("Packages that came, went, or are of another version", null, [costBefore, costAfter, ["kind", "short", (row) => row.kind], name], platform.packages, true);
  return found ? section(`${id}packages`, "Packages", null, found) : null;
}

function changedFilesSection(platform, id) {
  const path = (row) => pathText(row.path);
  const tables = [
    table("Files", null, [costBefore, costAfter, ["", "short", (row) => MARKS[row.change]], ["path", "wide", path]], platform.files, true),
    table("Directories, by what was added or changed", null, [cost, bar, rawSize, fileCount, ["path", "wide", (row) => pathText(row.name)]], platform.arriving, true),
    table("Directories, by what was removed or changed", null, [cost, bar, rawSize, fileCount, ["path", "wide", (row) => pathText(row.name)]], platform.leaving, true),
  ].filter(Boolean);
  return tables.length > 0 ? section(`${id}files`, "Files", null, el("div", { class: "tables" }, tables)) : null;
}

function drawChanges() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = `${data.old} → ${data.new}: what changed`;
  const parts = data.platforms.map(changesPart);
  const head = el(
    "header",
    { class: "masthead" },
    el("h1", {}, foreign(data.new, "name")),
    el("p", { class: "about" }, el("span", {}, "against ", foreign(data.old, "name")), data.platforms.length === 1 ? el("span", {}, foreign(data.platforms[0].platform, "name")) : null),
  );
  drawFrame(head, platformTabs(data, parts), parts);
  drawLinks(parts[0]);
}

drawChanges();
