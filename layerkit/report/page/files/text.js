"use strict";
// Sizes as people read them, and elements. Whatever an image says becomes text here, never markup.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Three significant digits, decimal units: 532 B, 12.8 kB, 1.05 GB. */
function sizeText(count) {
  let value = count;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  if (unit === 0) return `${Math.round(value)} B`;
  const digits = Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

function shareText(part, whole) {
  if (whole <= 0 || part <= 0) return "0 %";
  const share = (100 * part) / whole;
  return share < 0.5 ? "<1 %" : `${share.toFixed(0)} %`;
}

function secondsText(seconds) {
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

function countText(count) {
  return count.toLocaleString("en");
}

/** 1 layer, 2 layers, 3 directories. */
function plural(count, noun) {
  if (count === 1) return `1 ${noun}`;
  const many = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${countText(count)} ${many}`;
}

/** An element. `attributes`: its class as `class`, handlers as `onclick`, CSS variables as `--name`, the rest as they are. Children
 * that are strings become text; null ones are left out. */
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A path, which is read from left to right whatever script its names are in; what matters most is its end. */
function pathText(path) {
  const cut = path.replace(/\/$/, "").lastIndexOf("/") + 1;
  return el("bdi", { class: "path", dir: "ltr" }, el("span", { class: "folder" }, path.slice(0, cut)), el("bdi", {}, path.slice(cut)));
}

/** What comes from the image and isn't a path: a command, a name. */
function foreign(text, kind = "command") {
  return el("bdi", { class: kind, dir: "ltr" }, text);
}
