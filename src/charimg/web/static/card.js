// One card of the grid: a picture or a failed slot, and what is to be known of it.

import { actions, can, isCurrent, opened } from "./actions.js";
import { aiOf, brief, fmt, kindText, statusText, t } from "./config.js";
import { button, h, icon } from "./dom.js";
import { missing, pictured } from "./missing.js";
import { selected } from "./selection.js";
import { store } from "./state.js";

const open = new Set();

/** Open the menu of a card; it is loaded when the first one is wanted. */
export const openMenu = (...how) => opened("./menu.js", (menu) => menu.openMenu(...how));

/** What a card shows, as one text: a card is drawn anew only when it changes. */
export const stamp = (image) =>
  [
    image.updatedAt,
    image.status,
    image.media?.thumbnailURL,
    image.media?.url,
    store.isGone(image),
    isCurrent(image),
    selected.has(image.id),
    store.busy.get(image.id),
    store.troubles.get(image.id),
    open.has(image.id),
  ].join("\n");

const nameOf = (image) => image.metrics?.shot?.name ?? kindText(image.kind);

/** Cards whose shape is near that of the box fill it; others are shown whole. */
function fit({ width, height }) {
  const ratio = width && height ? width / height : 0.8;
  return ratio > 0.64 && ratio < 1 ? "fill" : "whole";
}

function picture(image, index) {
  const { media } = image;
  return h(
    "button",
    { type: "button", class: `ci-thumb ${fit(media)}`, tabindex: -1, dataset: { part: "view" } },
    h("img", {
      ...pictured(image, media.thumbnailURL ?? media.url),
      alt: media.alt || t("alt", { kind: kindText(image.kind), name: store.character?.name ?? "" }),
      width: media.width,
      height: media.height,
      // The first rows are what the reader waits for.
      loading: index < 12 ? "eager" : "lazy",
      decoding: "async",
    }),
  );
}

function slot(image) {
  const busy = store.busy.get(image.id) === "retry";
  return h(
    "div",
    { class: "ci-thumb failed" },
    icon(busy ? "spinner" : "broken"),
    h("p", {
      class: "ci-reason",
      text: busy ? t("retrying") : (image.error ?? t("status_failed")),
    }),
    can.retry(image)
      ? button(
          {
            text: t("retry"),
            icon: "retry",
            kind: "small",
            tabindex: -1,
            "data-part": "retry",
            "aria-disabled": busy ? "true" : null,
          },
          () => actions.retry(image),
        )
      : null,
  );
}

function promptOver(image) {
  return h(
    "div",
    { class: "ci-prompt-over", id: `ci-p-${image.id}` },
    image.metrics?.promptOrigin === "reference" && h("strong", { text: t("prompt_of_reference") }),
    h("p", { text: image.prompt, tabindex: -1 }),
    h(
      "div",
      { class: "ci-row" },
      button(
        { text: t("copy"), icon: "copy", kind: "small", tabindex: -1, "data-part": "copy-prompt" },
        () => actions.copyPrompt(image),
      ),
      button(
        {
          text: t("reuse_short"),
          icon: "reuse",
          kind: "small",
          tabindex: -1,
          "data-part": "reuse",
        },
        () => actions.reuse(image),
      ),
    ),
  );
}

/** Hide the whole prompt of a card again; gives whether it was shown. */
export function hidePrompt(image) {
  if (!image || !open.delete(image.id)) return false;
  store.changed();
  return true;
}

/** Show or hide the whole prompt on a card. */
export function togglePrompt(image) {
  if (!image.prompt) return;
  if (open.has(image.id)) open.delete(image.id);
  else open.add(image.id);
  store.changed();
}

/** Build a card. `index` is its place in the grid. */
export function card(image, index, { onSelect, onRemove }) {
  const isGone = store.isGone(image);
  const isFailed = isGone || image.status === "failed" || image.media === null;
  const isOpen = open.has(image.id);
  const trouble = store.troubles.get(image.id);
  const isSelected = selected.has(image.id);
  const name = nameOf(image);
  const date = fmt.date(image.createdAt);
  const status = isGone ? t("status_missing") : statusText(image.status);
  const ai = aiOf(image);
  const states = [isCurrent(image) ? t("current") : null, status, ai && t("ai"), trouble].filter(Boolean);
  return h(
    "div",
    {
      role: "gridcell",
      class: `ci-card${isSelected ? " selected" : ""}${store.busy.has(image.id) ? " busy" : ""}`,
      tabindex: -1,
      "aria-selected": String(isSelected),
      "aria-label": `${name}, ${date}, ${states.join(", ")}`,
      dataset: { id: image.id, stamp: stamp(image) },
    },
    h(
      "div",
      { class: "ci-media" },
      isGone ? missing(image, { tabindex: -1 }) : isFailed ? slot(image) : picture(image, index),
      isOpen ? promptOver(image) : null,
      h(
        "label",
        { class: "ci-pick" },
        h("input", {
          type: "checkbox",
          tabindex: -1,
          checked: isSelected,
          "aria-label": t("select_of", { name: `${name}, ${date}` }),
          onclick: (event) => onSelect(image, event),
        }),
      ),
      trouble
        ? h("p", { class: "ci-trouble" }, icon("warning"), h("span", { text: trouble }))
        : null,
      isCurrent(image) ? h("span", { class: "ci-badge over" }, icon("star"), t("current")) : null,
    ),
    h(
      "div",
      { class: "ci-caption" },
      h(
        "div",
        { class: "ci-caption-head" },
        h("span", { class: "ci-name", text: name, title: name }),
        button(
          {
            label: t("actions"),
            icon: "more",
            kind: "quiet small",
            tabindex: -1,
            "aria-haspopup": "menu",
            "aria-expanded": "false",
          },
          ({ currentTarget }) => openMenu(image, currentTarget, { onRemove }),
        ),
      ),
      h(
        "button",
        {
          type: "button",
          class: "ci-prompt-line",
          tabindex: -1,
          "aria-expanded": String(isOpen),
          "aria-controls": isOpen ? `ci-p-${image.id}` : null,
          "aria-label": t(isOpen ? "prompt_hide" : "prompt_show", {
            prompt: brief(image.prompt),
          }),
          onclick: () => togglePrompt(image),
        },
        h("span", { text: image.prompt }),
      ),
      h(
        "p",
        { class: "ci-facts" },
        h(
          "span",
          null,
          h(
            "span",
            { class: `ci-status ${isFailed ? "failed" : "succeeded"}` },
            icon(isFailed ? "error" : "check"),
            status,
          ),
          ai && h("span", { class: "ci-badge", text: t("ai"), title: ai }),
          h("span", { text: kindText(image.kind) }),
        ),
        h(
          "span",
          null,
          image.media ? h("span", { text: fmt.size(image.media.filesize) }) : null,
          h("time", { datetime: image.createdAt, text: fmt.moment(image.createdAt), title: date }),
        ),
      ),
    ),
  );
}
