// The grid: only the rows near the window are in the document, whatever the number of images.

import { actions, can } from "./actions.js";
import { card, hidePrompt, openMenu, stamp, togglePrompt } from "./card.js";
import { t } from "./config.js";
import { $, announce, h } from "./dom.js";
import { remove } from "./deletes.js";
import {
  anchorAt,
  chosen,
  clear,
  extendTo,
  prune,
  selectAll,
  selected,
  subscribe,
  toggle,
} from "./selection.js";
import { showFoot } from "./foot.js";
import { bind } from "./shortcuts.js";
import { store } from "./state.js";

const grid = $("ci-grid");

let columns = 1;
let rowHeight = 320;
let gap = 12;
/** Rows in the document, by their index. */
const rows = new Map();
/** The cell with the one tab stop. */
let activeId = null;
let activeIndex = 0;
let drawing = 0;
/** While the focus is put back on a card that was drawn anew. */
let restoring = false;

const hooks = { onSelect, onRemove: (image) => removeAndMove([image.id]) };
const hasFocus = () => grid.contains(document.activeElement);

/**
 * Columns and row height follow from the width, and from the height of a caption's text. Styles
 * are touched only when they change: that would cost every card.
 */
function measure() {
  const style = getComputedStyle(grid);
  gap = Number.parseFloat(style.getPropertyValue("--grid-gap")) || 12;
  const least = Number.parseFloat(style.getPropertyValue("--card-min")) || 180;
  const width = $("ci-foot").clientWidth;
  const before = `${columns} ${rowHeight}`;
  columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const cell = (width - gap * (columns - 1)) / columns;
  const caption = $("ci-probe").getBoundingClientRect().height;
  rowHeight = Math.ceil(cell / 0.8 + caption) + gap;
  if (before === `${columns} ${rowHeight}` && grid.style.getPropertyValue("--columns")) return;
  grid.style.setProperty("--columns", columns);
  grid.style.setProperty("--row-height", `${rowHeight - gap}px`);
  grid.setAttribute("aria-colcount", columns);
}

function show() {
  drawing = 0;
  const { view } = store;
  const count = Math.ceil(view.length / columns);
  $("ci-space").style.height = `${Math.max(0, count * rowHeight - gap)}px`;
  const isWhole = store.cursor === null || store.isFiltered;
  grid.setAttribute("aria-rowcount", isWhole && store.cursor === null ? count : -1);
  follow(view);
  const top = grid.getBoundingClientRect().top;
  const first = Math.max(0, Math.floor((-top - innerHeight * 0.6) / rowHeight));
  const last = Math.min(count - 1, Math.ceil((innerHeight * 1.6 - top) / rowHeight));
  const wanted = new Set();
  for (let at = first; at <= last; at += 1) wanted.add(at);
  // The cell with the tab stop stays, so that Tab finds it and the focus is never lost.
  if (view.length) wanted.add(Math.floor(activeIndex / columns));
  const held = hasFocus() ? document.activeElement.closest('[role="gridcell"]')?.dataset.id : null;
  const part = hasFocus() ? document.activeElement.dataset.part : null;
  for (const [at, row] of rows) {
    if (wanted.has(at)) continue;
    row.remove();
    rows.delete(at);
  }
  for (const at of wanted) draw(at, view);
  if (held && !hasFocus()) {
    const cell = cellOf(held) ?? cellOf(activeId);
    const inner =
      part && cell?.dataset.id === held ? cell.querySelector(`[data-part="${part}"]`) : null;
    restoring = true;
    (inner ?? cell)?.focus({ preventScroll: true });
    restoring = false;
  }
  if (store.cursor !== null && last >= count - 2) store.loadMore();
}

/** Keep the tab stop at its image, or else at the place where that was. */
function follow(view) {
  if (!view.length) {
    activeId = null;
    activeIndex = 0;
    return;
  }
  if (view[activeIndex]?.id === activeId) return;
  const found = activeId === null ? -1 : view.findIndex(({ id }) => id === activeId);
  activeIndex = found >= 0 ? found : Math.min(activeIndex, view.length - 1);
  activeId = view[activeIndex].id;
}

function draw(at, view) {
  let row = rows.get(at);
  if (!row) {
    row = h("div", { role: "row", class: "ci-grid-row", "aria-rowindex": at + 1 });
    rows.set(at, row);
    // In the order of reading, also for a screen reader's own cursor.
    const next = [...rows.keys()]
      .filter((other) => other > at)
      .reduce((a, b) => Math.min(a, b), Infinity);
    $("ci-space").insertBefore(row, rows.get(next) ?? null);
  }
  row.style.transform = `translateY(${at * rowHeight}px)`;
  const images = view.slice(at * columns, (at + 1) * columns);
  images.forEach((image, column) => {
    let cell = row.children[column];
    if (cell?.dataset.id !== image.id || cell.dataset.stamp !== stamp(image)) {
      const fresh = card(image, at * columns + column, hooks);
      if (cell) cell.replaceWith(fresh);
      else row.append(fresh);
      cell = fresh;
    }
    cell.setAttribute("aria-colindex", column + 1);
    cell.tabIndex = image.id === activeId ? 0 : -1;
  });
  while (row.children.length > images.length) row.lastElementChild.remove();
}

/** Draw in the next frame. */
function soon() {
  drawing ||= requestAnimationFrame(show);
}

const cellOf = (id) => (id === null ? null : grid.querySelector(`[data-id="${CSS.escape(id)}"]`));

/** Move the tab stop, and with `focus` the focus, to the image at an index. */
function activate(index, { focus = true } = {}) {
  const { view } = store;
  if (!view.length) return;
  activeIndex = Math.min(Math.max(0, index), view.length - 1);
  activeId = view[activeIndex].id;
  show();
  const cell = cellOf(activeId);
  if (!focus || !cell) return;
  cell.focus({ preventScroll: true });
  cell.scrollIntoView({ block: "nearest" });
}

function onSelect(image, event) {
  if (event.shiftKey) {
    extendTo(image.id);
    event.currentTarget.checked = true;
  } else toggle(image.id, event.currentTarget.checked);
  activate(store.view.indexOf(image), { focus: false });
}

/** Delete, and put the focus on the card that comes next. */
export function removeAndMove(ids) {
  const gone = new Set(ids);
  const { view } = store;
  const from = Math.max(
    0,
    view.findIndex(({ id }) => gone.has(id)),
  );
  const next =
    view.slice(from).find(({ id }) => !gone.has(id)) ??
    view.slice(0, from).findLast(({ id }) => !gone.has(id));
  remove(ids);
  for (const id of ids) selected.delete(id);
  clear();
  if (next) activate(store.view.findIndex(({ id }) => id === next.id));
  else {
    show();
    $("ci-images-title").focus();
  }
}

/** The images that a key acts upon: the selection, when the focus is within it. */
function meant() {
  const image = store.view[activeIndex];
  if (!image) return [];
  return selected.has(image.id) ? chosen() : [image];
}

function onClick(event) {
  const cell = event.target.closest('[role="gridcell"]');
  if (!cell) return;
  const index = store.view.findIndex(({ id }) => id === cell.dataset.id);
  const image = store.view[index];
  if (!image) return;
  if (event.target.closest(".ci-pick")) return;
  const onPicture = event.target.closest('[data-part="view"]');
  if (event.shiftKey || event.ctrlKey || event.metaKey) {
    if (event.target.closest("button") && !onPicture) return;
    event.preventDefault();
    activate(index);
    if (event.shiftKey) extendTo(image.id);
    else toggle(image.id);
    return;
  }
  if (activeId !== image.id) {
    anchorAt(image.id);
    activate(index, { focus: !event.target.closest("button") });
  }
  if (onPicture) actions.view(image);
}

function bindKeys() {
  const move = (delta) => () => activate(activeIndex + delta());
  const extend = (delta) => () => {
    const from = store.view[activeIndex];
    if (!from) return;
    if (!selected.has(from.id)) toggle(from.id, true);
    activate(activeIndex + delta());
    extendTo(activeId);
  };
  const isRtl = () => (getComputedStyle(grid).direction === "rtl" ? -1 : 1);
  const steps = {
    ArrowRight: () => isRtl(),
    ArrowLeft: () => -isRtl(),
    ArrowDown: () => (activeIndex + columns < store.view.length ? columns : 0),
    ArrowUp: () => (activeIndex >= columns ? -columns : 0),
  };
  for (const [key, step] of Object.entries(steps)) {
    bind(key, "key_move", move(step), "grid");
    bind(`Shift+${key}`, "key_extend", extend(step), "grid");
  }
  const page = () => Math.max(1, Math.floor(innerHeight / rowHeight) - 1) * columns;
  const start = () => activeIndex - (activeIndex % columns);
  bind("Home", "key_row", () => activate(start()), "grid");
  bind(
    "End",
    "key_row",
    () => activate(Math.min(start() + columns - 1, store.view.length - 1)),
    "grid",
  );
  bind("PageDown", "key_page", () => activate(activeIndex + page()), "grid");
  bind("PageUp", "key_page", () => activate(activeIndex - page()), "grid");
  bind("Mod+Home", "key_ends", () => activate(0), "grid");
  bind("Mod+End", "key_ends", () => activate(store.view.length - 1), "grid");
  const one = (name) => () => {
    const image = store.view[activeIndex];
    if (image && can[name](image)) actions[name](image);
  };
  bind("Enter", "view", one("view"), "grid");
  bind(" ", "key_select", () => activeId !== null && toggle(activeId), "grid");
  bind("Shift+ ", "key_extend", () => activeId !== null && extendTo(activeId), "grid");
  bind("x", "key_select", () => activeId !== null && toggle(activeId), "grid");
  bind("Mod+a", "select_all", selectAll, "grid");
  bind("Escape", "key_back", onEscape, "grid");
  for (const key of ["Delete", "Backspace"]) {
    bind(key, "delete", () => removeAndMove(meant().map(({ id }) => id)), "grid");
  }
  bind("d", "download", one("download"), "grid");
  bind("c", "copy_link", one("copyLink"), "grid");
  // An image has failed, or its file is gone.
  bind("r", "retry", () => (one("retry")(), one("bringBack")()), "grid");
  bind("u", "reuse", one("reuse"), "grid");
  bind("p", "key_prompt", () => togglePrompt(store.view[activeIndex]), "grid");
  for (const key of ["F2", "ContextMenu", "Shift+F10", "m"])
    bind(key, "key_actions", onMenuKey, "grid");
}

function onEscape(event) {
  const cell = event.target.closest('[role="gridcell"]');
  if (cell && cell !== event.target) cell.focus();
  else if (!hidePrompt(store.view[activeIndex]) && !clear()) return false;
  return true;
}

function onMenuKey() {
  const image = store.view[activeIndex];
  const cell = cellOf(activeId);
  if (image && cell) openMenu(image, cell.querySelector('[aria-haspopup="menu"]'), hooks);
}

function onContextMenu(event) {
  const cell = event.target.closest('[role="gridcell"]');
  const image = cell && store.images.get(cell.dataset.id);
  // The browser's own menu stays in reach with Shift, and for a finger.
  if (!image || event.shiftKey || event.pointerType === "touch") return;
  event.preventDefault();
  activate(store.view.indexOf(image));
  openMenu(image, cell.querySelector('[aria-haspopup="menu"]'), hooks);
}

/** Bring an image into view, and the focus to it. */
export function showImage(id) {
  const index = store.view.findIndex((image) => image.id === id);
  if (index >= 0) activate(index);
}

/** Wire the grid. */
export function mountGrid() {
  grid.dataset.scope = "grid";
  grid.addEventListener("click", onClick);
  grid.addEventListener("contextmenu", onContextMenu);
  grid.addEventListener("dragstart", onDrag);
  grid.addEventListener("focusin", ({ target }) => {
    const id = target.closest('[role="gridcell"]')?.dataset.id;
    if (!id || id === activeId || restoring) return;
    cellOf(activeId)?.setAttribute("tabindex", "-1");
    activeId = id;
    activeIndex = store.view.findIndex((image) => image.id === id);
    cellOf(id)?.setAttribute("tabindex", "0");
  });
  document.addEventListener("charimg:show", ({ detail }) => showImage(detail));
  bindKeys();
  measure();
  addEventListener("scroll", soon, { passive: true });
  const sizes = new ResizeObserver(() => {
    measure();
    soon();
  });
  for (const watched of ["ci-foot", "ci-probe"]) sizes.observe($(watched));
  document.addEventListener("charimg:card-size", () => {
    measure();
    soon();
  });
  let before = null;
  store.subscribe(() => {
    prune();
    showFoot();
    soon();
    if (store.phase === "ready" && before !== null && before !== store.view.length) {
      announceCount();
    }
    before = store.view.length;
  });
  subscribe(soon);
  showFoot();
}

/** A picture that is dragged to another program is the file, not its thumbnail. */
function onDrag(event) {
  const image = store.images.get(event.target.closest('[role="gridcell"]')?.dataset.id);
  if (!image?.media?.url) return;
  const { mimeType, filename } = image.media;
  const url = new URL(image.media.url, location.href).href;
  event.dataTransfer.setData("DownloadURL", `${mimeType}:${filename}:${url}`);
  event.dataTransfer.setData("text/uri-list", url);
  event.dataTransfer.setData("text/plain", url);
}

let counting = 0;
function announceCount() {
  clearTimeout(counting);
  counting = setTimeout(
    () =>
      announce(
        t("shown_now", {
          count: store.isFiltered ? store.view.length : (store.total ?? store.view.length),
        }),
      ),
    1200,
  );
}
