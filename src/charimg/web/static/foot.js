// What stands in the place of the grid when it is empty, and at its end.

import { t } from "./config.js";
import { $, button, h, icon } from "./dom.js";
import { store } from "./state.js";

let foot = "";

/** Show it, if it changed. */
export function showFoot() {
  const { phase, view, count, cursor, loadingMore, moreError } = store;
  const signature = [
    phase,
    view.length,
    count,
    cursor === null,
    loadingMore,
    moreError?.message,
    store.error?.message,
    store.isFiltered,
  ].join("\n");
  if (signature === foot) return;
  foot = signature;
  const box = $("ci-foot");
  $("ci-skeleton").hidden = phase !== "loading";
  const grid = $("ci-grid");
  grid.setAttribute("aria-busy", String(phase === "loading"));
  grid.hidden = !view.length;
  if (phase === "failed") {
    box.replaceChildren(
      h(
        "div",
        { class: "ci-empty" },
        icon("error"),
        h("p", { text: t("list_failed") }),
        h("p", { class: "ci-muted", text: store.error.message }),
        button({ text: t("try_again") }, () => store.refetch()),
      ),
    );
  } else if (moreError) {
    box.replaceChildren(
      h("p", { class: "ci-more-error" }, icon("error"), h("span", { text: moreError.message })),
      button({ text: t("try_again"), kind: "small" }, () =>
        store.wantsAll ? store.loadMore().then(() => store.loadAll()) : store.loadMore(),
      ),
    );
  } else if (phase === "ready" && !view.length && cursor === null) {
    box.replaceChildren(
      h(
        "div",
        { class: "ci-empty" },
        icon(store.isFiltered ? "search" : "frames"),
        h("p", { text: t(store.isFiltered ? "none_match" : "no_images") }),
        store.isFiltered
          ? button({ text: t("clear_filter") }, () =>
              document.dispatchEvent(new Event("charimg:clear-filter")),
            )
          : h("p", { class: "ci-muted", text: t("no_images_hint") }),
      ),
    );
  } else if (cursor !== null && phase === "ready") {
    box.replaceChildren(
      h("p", {
        class: "ci-muted",
        text: t("shown_of", { shown: store.ids.length, count: count ?? 0 }),
      }),
      icon("spinner"),
    );
  } else box.replaceChildren();
}
