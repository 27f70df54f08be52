// Two images side by side; zooming and moving one does the same to the other.

import { fmt, kindText, t } from "./config.js";
import { h } from "./dom.js";
import { altOf, nameOf } from "./describe.js";
import { PAN_KEYS, arrow, iconButton, openOverlay } from "./overlay.js";
import { ZoomPane } from "./zoom.js";

const PAN_PX = 80;
/** A longer list to choose from would be slow to open; the nearest ones are offered. */
const LISTED = 200;

/** What an image is best compared with: the latest other reference, else its neighbour. */
export function partner(image, images) {
  const shown = images.filter(({ id, media }) => media?.url && id !== image.id);
  const since = ({ metrics }) => metrics?.masterSince ?? "";
  const references = shown
    .filter(({ kind }) => kind === "reference")
    .sort((a, b) => (since(a) < since(b) ? 1 : -1));
  const next = images.slice(images.indexOf(image) + 1).find(({ media }) => media?.url);
  return references[0] ?? next ?? shown.at(-1) ?? null;
}

/**
 * Open the comparison of two images.
 *
 * @param images What else can be chosen on either side.
 * @param returnFocus Gives the element that gets the focus when the opener is gone.
 * @returns {closed: Promise, close()}
 */
export async function openCompare(a, b, { images = [a, b], returnFocus = null } = {}) {
  const choices = choicesOf(a, b, images);
  let together = true;
  let telling = false;
  const overlay = await openOverlay({
    name: "compare",
    title: t("compare_title"),
    returnFocus,
    keys: [
      ["ArrowLeft", "compare_previous", () => right.move(-1)],
      ["ArrowRight", "compare_next", () => right.move(1)],
      [["+", "="], "viewer_zoom_in", () => left.pane.zoomIn()],
      ["-", "viewer_zoom_out", () => left.pane.zoomOut()],
      ["0", "viewer_fit", fit],
      [PAN_KEYS, "viewer_pan", (event) => pan(arrow(event))],
      ["x", "compare_swap", swap],
    ],
  });
  const left = new Side("compare_left", choices, { onView: () => follow(right, left), overlay });
  const right = new Side("compare_right", choices, { onView: () => follow(left, right), overlay });

  function follow(one, other) {
    // A side that follows tells its own view in turn.
    if (!together || telling) return;
    telling = true;
    one.pane.follow(other.pane.view);
    telling = false;
  }

  function fit() {
    left.pane.fit();
    right.pane.fit();
  }

  function pan([toRight, down]) {
    left.pane.panBy(-toRight * PAN_PX, -down * PAN_PX);
  }

  function swap() {
    const [one, other] = [left.image, right.image];
    left.show(other);
    right.show(one);
  }

  const lock = h("input", {
    type: "checkbox",
    checked: true,
    onchange: () => {
      together = lock.checked;
      follow(right, left);
    },
  });
  overlay.tools.append(
    h("label", { class: "ov-check" }, lock, h("span", { text: t("compare_together") })),
    h(
      "div",
      { class: "ov-group", role: "group", "aria-label": t("viewer_zoom") },
      iconButton("zoomout", t("viewer_zoom_out"), () => left.pane.zoomOut(), { shortcut: "-" }),
      iconButton("zoomin", t("viewer_zoom_in"), () => left.pane.zoomIn(), { shortcut: "+" }),
      iconButton("fit", t("viewer_fit"), fit, { shortcut: "0" }),
    ),
    iconButton("swap", t("compare_swap"), swap, { shortcut: "x" }),
  );
  overlay.body.append(left.element, right.element);
  left.show(a);
  right.show(b);
  overlay.closed.then(() => {
    left.pane.close();
    right.pane.close();
  });
  return { closed: overlay.closed, close: overlay.close };
}

function choicesOf(a, b, images) {
  const shown = images.filter(({ media }) => media?.url);
  for (const image of [b, a]) {
    if (!shown.some(({ id }) => id === image.id)) shown.unshift(image);
  }
  if (shown.length <= LISTED) return shown;
  const from = Math.max(0, shown.findIndex(({ id }) => id === a.id) - LISTED / 2);
  const near = shown.slice(from, from + LISTED);
  return near.some(({ id }) => id === b.id) ? near : [...near, b];
}

class Side {
  image = null;

  constructor(labelKey, choices, { onView, overlay }) {
    this.choices = choices;
    this.overlay = overlay;
    this.pane = new ZoomPane({ onView });
    this.facts = h("p", { class: "cm-facts" });
    this.select = h(
      "select",
      {
        class: "cm-select",
        "aria-label": t(labelKey),
        onchange: () => this.show(choices.find(({ id }) => id === this.select.value)),
      },
      choices.map((image) => h("option", { value: image.id, text: optionText(image) })),
    );
    this.element = h(
      "section",
      { class: "cm-side", "aria-label": t(labelKey) },
      this.pane.element,
      h("div", { class: "cm-foot" }, this.select, this.facts),
    );
  }

  show(image) {
    const { media } = image;
    this.image = image;
    this.select.value = image.id;
    const told = [fmt.pixels(media.width, media.height), fmt.size(media.filesize)];
    this.facts.textContent = told.filter(Boolean).join(" · ");
    this.pane.show({ ...media, alt: altOf(image) }, { keepView: true });
  }

  /** Show the next one of the choices, or the one before. */
  move(by) {
    const image = this.choices[this.choices.findIndex(({ id }) => id === this.image.id) + by];
    if (!image) return;
    this.show(image);
    this.overlay.announce(altOf(image));
  }
}

function optionText(image) {
  const name = nameOf(image);
  const kind = kindText(image.kind);
  return [name === kind ? null : kind, name, fmt.date(image.createdAt)].filter(Boolean).join(" · ");
}
