// Which images are selected, one by one or as a range.

import { store } from "./state.js";

const subscribers = new Set();

/** The ids that are selected. */
export const selected = new Set();

/** Where a range begins. */
let anchor = null;

export function subscribe(subscriber) {
  subscribers.add(subscriber);
  return () => subscribers.delete(subscriber);
}

function changed() {
  for (const subscriber of subscribers) subscriber();
}

export function toggle(id, on = !selected.has(id)) {
  if (on) selected.add(id);
  else selected.delete(id);
  anchor = id;
  changed();
}

/** Select all from where the last selection was made to here. */
export function extendTo(id) {
  const { view } = store;
  const to = view.findIndex((image) => image.id === id);
  const found = view.findIndex((image) => image.id === anchor);
  if (to < 0) return;
  if (found < 0) {
    toggle(id, true);
    return;
  }
  const [first, last] = found < to ? [found, to] : [to, found];
  for (let at = first; at <= last; at += 1) selected.add(view[at].id);
  changed();
}

/** Where the next range begins, when nothing was selected before. */
export function anchorAt(id) {
  if (!selected.size) anchor = id;
}

/** Select every image that the filter lets through, also those that are not read yet. */
export async function selectAll() {
  await store.loadAll();
  for (const { id } of store.view) selected.add(id);
  changed();
}

export function clear() {
  if (!selected.size) return false;
  selected.clear();
  changed();
  return true;
}

/** The selected images in the order of the grid. */
export const chosen = () => store.view.filter(({ id }) => selected.has(id));

/** What is no longer shown is no longer selected. */
export function prune() {
  if (!selected.size) return;
  const shown = new Set(store.view.map(({ id }) => id));
  let lost = false;
  for (const id of selected) {
    if (shown.has(id)) continue;
    selected.delete(id);
    lost = true;
  }
  if (lost) changed();
}
