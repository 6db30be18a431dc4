"use strict";
// The tree of the files: what each node is called, where it is, and what kind of files most of it are.

const NEXT_TO_ALL = 0.97; // of a directory's cost: one in it that has so much is drawn in its place
const REST = "…";

/** What a file is, by its name: the colours of the map. The first that fits counts. */
const KINDS = [
  ["native", "programs and libraries", /\.(so|ko|dll|exe|dylib|cubin|node)$|\.so\.[\d.]+$/],
  ["build", "for building: static libraries, headers", /\.(a|o|la|h|hh|hpp|cuh|lib|c|cc|cpp|cu|rs|go|pc|cmake)$/],
  ["python", "Python", /\.(py|pyc|pyi|pyx|pxd)$/],
  ["web", "JavaScript, web", /\.(js|mjs|cjs|ts|tsx|jsx|map|css|html|wasm)$/],
  ["java", "Java, .NET", /\.(jar|war|class|jmod|nupkg|pdb)$/],
  ["archive", "archives and packages", /\.(zip|gz|tgz|xz|bz2|zst|tar|whl|deb|rpm|apk|7z|crate)$/],
  ["data", "data and models", /\.(bin|pt|pth|onnx|safetensors|gguf|npy|npz|h5|parquet|json|csv|db|sqlite|sqlite3|dat|pb|model|pack|idx|xml|yaml|yml)$/],
  ["text", "documents, locales, media", /\.(md|txt|rst|mo|po|png|jpe?g|gif|svg|ico|ttf|otf|woff2?|mp[34]|pdf|[1-8])$/],
];
const HASH = /^[0-9a-f]{32,}$/; // as stores of models and of Git name their files
const LARGE = 200_000; // bytes
const OTHER = ["other", "everything else", /(?:)/];
const SMALL = ["small", "small files, drawn together"];
const ALL_KINDS = [...KINDS, OTHER, SMALL];

function kindOf(name, folder, size) {
  const lower = name.toLowerCase();
  const found = KINDS.findIndex(([, , pattern]) => pattern.test(lower));
  if (found >= 0) return found;
  if (HASH.test(lower)) return KINDS.findIndex(([id]) => id === "data");
  // Programs have no suffix; of what is large, little else has none.
  return !lower.includes(".") && (size >= LARGE || /(^|\/)(s?bin|libexec)$/.test(folder)) ? 0 : KINDS.length;
}

/** Nodes out of columns, with what each consists of. The first node is the image, its children are the layers. */
function treeOf(columns, layers) {
  const byNumber = new Map(layers.map((layer) => [layer.number, layer]));
  const nodes = columns.name.map((name, index) => ({
    name,
    files: columns.files[index],
    size: columns.size[index],
    cost: columns.cost[index],
    parent: null,
    children: [],
    kinds: new Float64Array(ALL_KINDS.length),
    layer: null,
    label: name,
    path: "",
    depth: 0,
  }));
  nodes.forEach((node, index) => {
    if (index === 0) return;
    node.parent = nodes[columns.above[index]];
    node.parent.children.push(node);
    node.depth = node.parent.depth + 1;
    if (node.depth === 1) {
      node.layer = byNumber.get(Number(node.name)) ?? null;
      node.label = `Layer ${node.name}`;
    } else node.path = `${node.parent.path}/${node.name}`;
  });
  nodes[0].label = "Image";
  nodes[0].children.sort((one, other) => other.cost - one.cost);
  for (let index = nodes.length - 1; index >= 0; index -= 1) {
    const node = nodes[index];
    const known = node.children.reduce((sum, child) => sum + child.cost, 0);
    if (node.children.length === 0) node.kinds[node.name === REST ? KINDS.length + 1 : kindOf(node.name, node.parent?.path ?? "", node.size)] += node.cost;
    else node.kinds[KINDS.length] += Math.max(0, node.cost - known);
    node.value = Math.max(node.cost, known);
    // What most of it is, as far as that is known.
    const told = node.kinds.slice(0, -1);
    const most = Math.max(...told);
    node.kind = most > 0 ? told.indexOf(most) : KINDS.length + 1;
    if (node.parent) node.kinds.forEach((cost, kind) => (node.parent.kinds[kind] += cost));
  }
  return nodes;
}

/** `/usr/lib in layer 4`. */
function nameInFull(node) {
  if (node.depth === 0) return "the image";
  if (node.depth === 1) return node.layer?.command ? `${node.label}: ${node.layer.command}` : node.label;
  const layer = layerOf(node);
  return node.name === REST ? `${node.parent.path || "/"}: what is small, in ${layer.label.toLowerCase()}` : `${node.path} in ${layer.label.toLowerCase()}`;
}

function layerOf(node) {
  let at = node;
  while (at.depth > 1) at = at.parent;
  return at;
}

/** From the image to a node. */
function wayTo(node) {
  const way = [];
  for (let at = node; at; at = at.parent) way.unshift(at);
  return way;
}

/** Of directories that are in each other with next to nothing beside: the innermost. */
function innermost(node) {
  let at = node;
  while (at.depth > 1 && at.children.length > 0 && at.children[0].children.length > 0 && at.children[0].cost >= NEXT_TO_ALL * at.cost) {
    at = at.children[0];
  }
  return at;
}
