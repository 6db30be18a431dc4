"use strict";
// Puts the page together out of the document that is in it.

function platformPart(data, platform, index) {
  const id = index === 0 ? "" : `p${index + 1}-`;
  const map = mapOf(platform, data, id);
  const sections = [
    adviceSection(platform, map, id),
    layersSection(platform, data, id),
    planSection(platform, id),
    mapSection(map),
    contentsSection(platform, map, id),
    wasteSection(platform, map, id),
    permissionsSection(platform, map, id),
  ].filter(Boolean);
  return el(
    "div",
    { class: "platform", id: `platform-${index + 1}`, "data-index": String(index) },
    data.platforms.length > 1 ? el("h2", { class: "platform-name" }, foreign(platform.platform, "name")) : null,
    headline(data, platform),
    index === 0 ? findingsSection(data) : null,
    sections,
    notes(platform),
  );
}

function notes(platform) {
  const { contents } = platform;
  const lines = contents
    ? [
        "Pushed: what files take of the compressed layers, headers and padding included. All files and the rest of a layer add up to its blob.",
        contents.estimated ? "Of uncompressed layers, it is an estimate of what they take as gzip." : null,
        ...contents.notes,
      ]
    : ["The layers weren't read: layerkit inspect --files --html FILE also shows what is in them, what is wasted and what would help."];
  return el("div", { class: "notes" }, lines.filter(Boolean).map((line) => el("p", { class: "note" }, foreign(line, "name"))));
}

function masthead(data) {
  const platforms = data.platforms.length === 1 ? data.platforms[0].platform : plural(data.platformCount, "platform");
  const more = data.absentCount - 10;
  return el(
    "header",
    { class: "masthead" },
    el("h1", {}, foreign(data.name, "name")),
    el(
      "p",
      { class: "about" },
      [data.kind, data.names.filter((name) => name !== data.name).join(", "), platforms, data.about].filter(Boolean).map((one) => el("span", {}, foreign(one, "name"))),
      el("span", {}, el("code", {}, data.digest)),
    ),
    data.absent.length > 0 ? el("p", { class: "note" }, "Listed, but not in the file: ", foreign(data.absent.slice(0, 10).join(", "), "name"), more > 0 ? ` and ${more} more` : null) : null,
  );
}

function drawPage() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = `${data.name}: image report`;
  const parts = data.platforms.map((platform, index) => platformPart(data, platform, index));
  const empty = parts.length === 0 ? [sentence("bad", "This image has no platform.", "There is nothing in it that runs."), findingsSection(data)] : null;
  drawFrame(masthead(data), platformTabs(data, parts), empty, parts);
  if (parts.length > 0) drawLinks(parts[0]);
}

drawPage();
