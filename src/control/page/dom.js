// Elements out of data. What comes from the API only ever becomes text or the value of a harmless
// attribute: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

export const h = (tag, attributes, ...children) =>
  fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

const sameKind = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName &&
  (a.dataset?.key ?? "") === (b.dataset?.key ?? "");

function morphElement(now, wanted) {
  const isReaders = (name) => now.nodeName === "DETAILS" && name === "open";
  for (const { name } of [...now.attributes]) {
    if (!wanted.hasAttribute(name) && !isReaders(name)) now.removeAttribute(name);
  }
  for (const { name, value } of [...wanted.attributes]) {
    if (now.getAttribute(name) !== value && !isReaders(name)) now.setAttribute(name, value);
  }
  morph(now, [...wanted.childNodes]);
}

// Makes the children of `parent` equal to `wanted` and keeps those that are alike already, so that
// focus, scrolling and what is folded open stay. Elements with a data-key are told apart by it.
export function morph(parent, wanted) {
  const list = (Array.isArray(wanted) ? wanted : [wanted]).flat(Infinity).filter(Boolean);
  let at = parent.firstChild;
  for (const next of list) {
    let match = at;
    if (next.dataset?.key) while (match && !sameKind(match, next)) match = match.nextSibling;
    if (!match || !sameKind(match, next)) {
      parent.insertBefore(next, at);
      continue;
    }
    if (match !== at) parent.insertBefore(match, at);
    else at = at.nextSibling;
    if (match.nodeType === Node.ELEMENT_NODE) morphElement(match, next);
    else if (match.nodeValue !== next.nodeValue) match.nodeValue = next.nodeValue;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function groupRow(columns) {
  if (!columns.some((column) => column.group)) return null;
  const groups = [];
  for (const { group = "" } of columns) {
    const last = groups[groups.length - 1];
    if (last?.name === group) ++last.span;
    else groups.push({ name: group, span: 1 });
  }
  return h("tr", { class: "groups" }, groups.map(({ name, span }) => (name
    ? h("th", { scope: "colgroup", colspan: span }, name) : h("td", { colspan: span }))));
}

// A table that may be wider than its place: it scrolls, also by keyboard.
// columns: [{name, class, group}], those of a group have its name above them;
// rows: [{key, cells: [content], class}], a row's first cell is its head.
export function table(label, columns, rows) {
  const classOf = (column) => columns[column]?.class;
  const cell = (content, column) => h(column === 0 ? "th" : "td",
    { class: classOf(column), scope: column === 0 ? "row" : null }, content);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    h("table", null,
      h("thead", null, groupRow(columns), h("tr", null, columns.map((column) =>
        h("th", { scope: "col", class: column.class }, column.name)))),
      h("tbody", null, rows.map((row) =>
        h("tr", { "data-key": row.key, class: row.class }, row.cells.map(cell))))));
}

// Text with `commands` in it.
export const prose = (text) => String(text ?? "").split("`").map((part, at) =>
  (at % 2 ? h("code", null, part) : part));

export const nothing = (...text) => h("p", { class: "nothing" },
  text.map((one) => (typeof one === "string" ? prose(one) : one)));
