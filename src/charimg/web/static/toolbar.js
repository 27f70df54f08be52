// Filter, search, order, and what is done with a selection.

import { actions, opened } from "./actions.js";
import { fmt, t } from "./config.js";
import { $, button, h, isOff, roving, setOff } from "./dom.js";
import { removeAndMove } from "./grid.js";
import { chosen, clear, selectAll, selected, subscribe } from "./selection.js";
import { bind } from "./shortcuts.js";
import { store } from "./state.js";

const SIZE = "charimg:card-size";

const IN_URL = { kind: "kind", status: "status", sort: "sort", search: "q" };

/** Take the filter from the address, so that a reload and a shared link show the same. */
function fromUrl() {
  const given = new URLSearchParams(location.search);
  const form = $("ci-filters");
  for (const [name, key] of Object.entries(IN_URL)) {
    const value = given.get(key);
    const field = form.elements[name];
    if (value === null) continue;
    if (field.options && ![...field.options].some((option) => option.value === value)) continue;
    field.value = value;
    store.query = { ...store.query, [name]: value };
  }
}

function toUrl() {
  const url = new URL(location.href);
  for (const [name, key] of Object.entries(IN_URL)) {
    const value = store.query[name].trim();
    if (value && value !== "newest") url.searchParams.set(key, value);
    else url.searchParams.delete(key);
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

function filters() {
  let timer = 0;
  fromUrl();
  const search = $("ci-search");
  const form = $("ci-filters");
  for (const name of ["kind", "status", "sort"]) {
    form.elements[name].addEventListener("change", ({ target }) =>
      store.setQuery({ [name]: target.value }),
    );
  }
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => store.setQuery({ search: search.value }), 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    store.setQuery({ search: search.value });
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !search.value) return;
    event.preventDefault();
    search.value = "";
    store.setQuery({ search: "" });
  });
  document.addEventListener("charimg:clear-filter", () => {
    form.reset();
    store.setQuery({ kind: "", status: "", search: "", sort: "newest" });
    search.focus();
  });
  bind("/", "search", () => {
    search.focus();
    search.select();
  });
}

function size() {
  const range = $("ci-size");
  try {
    range.value = localStorage.getItem(SIZE) ?? range.value;
  } catch {
    // The size is remembered only where the browser lets us.
  }
  const set = () => {
    $("ci-grid").style.setProperty("--card-min", `${range.value}px`);
    range.setAttribute("aria-valuetext", `${range.value} px`);
    document.dispatchEvent(new Event("charimg:card-size"));
  };
  range.addEventListener("input", () => {
    set();
    try {
      localStorage.setItem(SIZE, range.value);
    } catch {
      // As above.
    }
  });
  set();
}

function showCount() {
  const { view, count, phase, cursor } = store;
  const box = $("ci-count");
  if (phase !== "ready" || count === null) {
    box.textContent = "";
    return;
  }
  const searched = store.query.search.trim() !== "";
  if (searched && cursor !== null)
    box.textContent = t("searching", { shown: store.ids.length, count });
  else {
    const pending = [...store.hidden].filter((id) => store.ids.includes(id)).length;
    box.textContent = fmt.number(searched ? view.length : Math.max(0, count - pending));
  }
  const some = store.shots.some(({ status }) => status === "succeeded");
  setOff($("ci-turntable"), !some);
  setOff($("ci-sheet"), !view.some(({ media }) => media !== null));
}

let drawnSelection = "";
const settleSelection = roving($("ci-selection"));

function showSelection() {
  const bar = $("ci-selection");
  const images = chosen();
  const signature = images.map(({ id }) => id).join();
  if (signature === drawnSelection) return;
  drawnSelection = signature;
  const focused = bar.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  bar.hidden = !images.length;
  document.documentElement.classList.toggle("ci-selecting", images.length > 0);
  if (!images.length) {
    document.documentElement.style.removeProperty("--selection-height");
    bar.replaceChildren();
    return;
  }
  const files = images.filter(({ media }) => media !== null);
  const bytes = files.reduce((sum, { media }) => sum + (media.filesize ?? 0), 0);
  const act = (name, props, run) => button({ "data-act": name, kind: "small", ...props }, run);
  const parts = [
    h(
      "p",
      { class: "ci-selection-count" },
      h("strong", { text: t("selected", { count: images.length }) }),
      h("span", { class: "ci-muted", text: fmt.size(bytes) }),
    ),
    act("all", { text: t("select_all"), icon: "all" }, selectAll),
    act(
      "zip",
      { text: t("zip"), icon: "download", "aria-disabled": files.length ? null : "true" },
      () => zip(files),
    ),
    files.length === 2
      ? act("compare", { text: t("compare"), icon: "compare" }, () =>
          opened("./viewer.js", ({ openCompare }) =>
            openCompare(files[0], files[1], { images: store.view }),
          ),
        )
      : null,
    act("delete", { text: t("delete"), icon: "trash", kind: "small danger-quiet" }, () =>
      removeAndMove(images.map(({ id }) => id)),
    ),
    act("clear", { label: t("select_none"), icon: "close", kind: "small quiet" }, clear),
  ];
  bar.replaceChildren(...parts.filter(Boolean));
  settleSelection();
  const taken = `${bar.offsetHeight + 8}px`;
  document.documentElement.style.setProperty("--selection-height", taken);
  if (focused)
    (bar.querySelector(`[data-act="${focused}"]`) ?? bar.querySelector("button")).focus();
}

async function zip(files) {
  if (!files.length) return;
  const bytes = files.reduce((sum, { media }) => sum + (media.filesize ?? 0), 0);
  await opened("./zip.js", ({ downloadArchive }) =>
    downloadArchive(
      files.map(({ id }) => id),
      { bytes, name: store.character?.name },
    ),
  );
}

async function turntable({ type, detail }) {
  if (isOff($("ci-turntable"))) return;
  await opened("./turntable.js", async ({ openTurntable }) => {
    await store.loadShots();
    openTurntable({
      // Failed shots, too: they are marked places of the ring.
      images: () => store.shots.filter(({ id }) => !store.hidden.has(id)),
      store,
      // The viewer asks for the place of its image; a click's detail is a count.
      startId: type === "charimg:turntable" ? (detail ?? null) : null,
      retry: (image) => actions.retry(image),
    });
  });
}

async function sheet() {
  if (isOff($("ci-sheet"))) return;
  await store.loadAll();
  const images = selected.size ? chosen() : store.view;
  await opened("./sheet.js", ({ openContactSheet }) =>
    openContactSheet({ images, character: store.character }),
  );
}

/** Wire the bar above the grid. */
export function mountToolbar() {
  filters();
  size();
  $("ci-turntable").addEventListener("click", turntable);
  document.addEventListener("charimg:turntable", turntable);
  $("ci-sheet").addEventListener("click", sheet);
  store.subscribe(() => {
    toUrl();
    showCount();
    showSelection();
  });
  subscribe(showSelection);
  showCount();
}
