"use strict";
// What is around the sections of every page: the bar with its links, tabs of platforms, light and dark.

function drawFrame(...content) {
  document.getElementById("page").append(
    el("div", { class: "top" }, el("div", { class: "top-in" }, el("b", { class: "mark" }, "layerkit"), el("nav", { id: "links", "aria-label": "Sections" }), themeButton())),
    el("main", {}, content),
    el("footer", {}, el("p", {}, "Made by layerkit. Sizes are decimal: 1 GB is 1,000,000,000 bytes.")),
  );
}

/** Of several platforms one is seen at a time, but on paper all are. */
function platformTabs(data, parts) {
  if (parts.length < 2) return null;
  const choose = (index) => {
    parts.forEach((part, place) => part.classList.toggle("unseen", place !== index));
    tabs.forEach((tab, place) => tab.setAttribute("aria-pressed", String(place === index)));
    drawLinks(parts[index]);
  };
  const tabs = parts.map((_, index) =>
    el("button", { type: "button", "aria-pressed": String(index === 0), onclick: () => choose(index) }, foreign(data.platforms[index].platform, "name"), " ", el("span", { class: "meta" }, sizeText(data.platforms[index].size))),
  );
  parts.slice(1).forEach((part) => part.classList.add("unseen"));
  const more = data.platformCount - parts.length;
  return el("nav", { class: "platforms", "aria-label": "Platforms" }, tabs, more > 0 ? el("span", { class: "note" }, `and ${more} more`) : null);
}

function drawLinks(part) {
  const links = [...part.querySelectorAll("section")].map((found) => el("a", { href: `#${found.id}` }, found.querySelector("h2").textContent));
  document.getElementById("links").replaceChildren(...links);
}

function themeButton() {
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => (dark() ? "Light" : "Dark");
  const button = el(
    "button",
    {
      type: "button",
      class: "theme",
      "aria-label": "Change between light and dark",
      onclick: () => {
        document.documentElement.dataset.theme = dark() ? "light" : "dark";
        button.textContent = label();
      },
    },
    label(),
  );
  return button;
}
