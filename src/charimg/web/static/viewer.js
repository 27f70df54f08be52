// The large view of one image among its neighbours, with zoom, details and a way to compare.

import { aiOf, fmt, kindText, t } from "./config.js";
import { h, setOff } from "./dom.js";
import { altOf, failureText, nameOf, provenanceText } from "./describe.js";
import { details } from "./details.js";
import { PAN_KEYS, arrow, iconButton, openOverlay, textButton } from "./overlay.js";
import { openCompare, partner } from "./compare.js";
import { ZoomPane, preload } from "./zoom.js";

export { openCompare } from "./compare.js";

const PAN_PX = 80;
/** So many images before the end the next page is asked for. */
const AHEAD = 5;
/** Whether the reader wants the details; until told, only where there is room for them. */
let detailsWanted = null;

/**
 * Open the viewer.
 *
 * @param images What is shown, in the order of the page; or a function that gives it now, so that
 *   the viewer follows what is added and removed.
 * @param startId Which image is shown first.
 * @param store Its `subscribe(fn)` tells when to call `images()` again; its `loadMore()` is called
 *   near the end of the list.
 * @param actions Buttons: [{labelKey, run(image), available?(image), danger?, shortcut?}].
 * @param returnFocus Gives, for the last image seen, the element that gets the focus when the
 *   opener is gone.
 * @returns {closed: Promise of the image seen last, close(), show(id)}
 */
export async function openViewer({
  images,
  startId,
  store = null,
  actions = [],
  returnFocus = null,
}) {
  const read = typeof images === "function" ? images : () => images;
  let list = read();
  let at = Math.max(
    list.findIndex(({ id }) => id === startId),
    0,
  );
  let shown = null;
  /** The actions whose buttons are there. */
  let offered = [];
  const current = () => list[at] ?? null;

  const overlay = await openOverlay({
    name: "viewer",
    title: "",
    returnFocus: () => shown && returnFocus?.(shown),
    keys: [
      ["ArrowLeft", "viewer_previous", () => go(at - 1)],
      ["ArrowRight", "viewer_next", () => go(at + 1)],
      ["Home", "viewer_first", (event) => !inPanel(event) && go(0)],
      ["End", "viewer_last", (event) => !inPanel(event) && go(list.length - 1)],
      [["+", "="], "viewer_zoom_in", () => pane.zoomIn()],
      ["-", "viewer_zoom_out", () => pane.zoomOut()],
      ["0", "viewer_fit", () => pane.fit()],
      ["1", "viewer_actual", () => pane.actual()],
      [PAN_KEYS, "viewer_pan", (event) => pan(arrow(event))],
      ["i", "viewer_details", () => showDetails(panel.hidden)],
      ["v", "viewer_compare", () => compare()],
      ...actions
        .filter(({ shortcut }) => shortcut)
        .map((action) => [action.shortcut, action.labelKey, () => perform(action)]),
    ],
  });

  const level = h("span", { class: "ov-level" });
  const pane = new ZoomPane({
    onView: () => {
      const { percent } = pane;
      level.textContent = percent === null ? "" : t("viewer_percent", { percent });
    },
    onSwipe: (by) => go(at + by),
  });
  const previous = iconButton("back", t("viewer_previous"), () => go(at - 1), {
    shortcut: "←",
    class: "ov-icon vw-previous",
  });
  const next = iconButton("forward", t("viewer_next"), () => go(at + 1), {
    shortcut: "→",
    class: "ov-icon vw-next",
  });
  const caption = h("p", { class: "vw-caption" });
  const buttons = h("div", { class: "vw-actions" });
  // Scrolled by the keyboard, so it takes the focus.
  const panel = h("aside", {
    class: "vw-details",
    id: "vw-details",
    "aria-label": t("viewer_details"),
    tabindex: "0",
  });
  const comparing = iconButton("compare", t("viewer_compare"), compare, { shortcut: "v" });
  const detailing = iconButton("info", t("viewer_details"), () => showDetails(panel.hidden), {
    shortcut: "i",
    "aria-controls": "vw-details",
  });
  overlay.tools.append(zoomButtons(pane, level), comparing, detailing);
  overlay.body.append(
    h(
      "div",
      { class: "vw-main" },
      h("div", { class: "vw-stage" }, pane.element, previous, next),
      h("div", { class: "vw-foot" }, caption, buttons),
    ),
    panel,
  );

  const inPanel = ({ target }) => panel.contains(target);

  function pan([right, down]) {
    pane.panBy(-right * PAN_PX, -down * PAN_PX);
  }

  function go(index) {
    if (index < 0 || index >= list.length || index === at) return;
    at = index;
    render();
    overlay.announce(t("viewer_now", { index: at + 1, total: list.length, alt: altOf(current()) }));
  }

  function render() {
    const image = current();
    if (image === null) {
      overlay.close();
      return;
    }
    overlay.title.textContent = t("viewer_title", {
      index: at + 1,
      total: list.length,
      kind: kindText(image.kind),
    });
    setOff(previous, at === 0);
    setOff(next, at === list.length - 1);
    setOff(comparing, !canCompare(image));
    renderButtons(image);
    if (image !== shown) renderWords(image);
    if (image.id !== shown?.id || image.media?.url !== shown.media?.url) renderImage(image);
    shown = image;
    for (const by of [1, -1, 2]) preload(list[at + by]?.media?.url);
    if (at >= list.length - AHEAD) store?.loadMore?.();
  }

  function renderImage(image) {
    panel.scrollTop = 0;
    if (image.media?.url) pane.show({ ...image.media, alt: altOf(image) });
    else pane.say(t("viewer_no_image", { reason: failureText(image) }));
  }

  function renderWords(image) {
    caption.replaceChildren(
      h("strong", { text: nameOf(image) }),
      h("time", { datetime: image.createdAt, text: fmt.date(image.createdAt) }),
      ...(aiOf(image)
        ? [h("span", { class: "ci-badge", text: t("ai"), title: provenanceText(image) })]
        : []),
    );
    panel.replaceChildren(...details(image));
  }

  function renderButtons(image) {
    const usable = actions.filter((action) => isUsable(action, image));
    if (usable.length === offered.length && usable.every((each, index) => each === offered[index]))
      return;
    offered = usable;
    const focused = [...buttons.children].indexOf(document.activeElement);
    buttons.replaceChildren(
      ...usable.map((action) =>
        textButton(t(action.labelKey), () => perform(action), {
          class: action.danger ? "ov-button ov-danger" : "ov-button",
        }),
      ),
    );
    if (focused >= 0) (buttons.children[focused] ?? overlay.title).focus();
  }

  const isUsable = ({ available }, image) => available?.(image) ?? true;

  function perform(action) {
    if (isUsable(action, current())) action.run(current());
  }

  const canCompare = (image) =>
    Boolean(image.media?.url) && list.some((other) => other !== image && other.media?.url);

  function compare() {
    const image = current();
    if (canCompare(image)) openCompare(image, partner(image, list), { images: list });
  }

  function showDetails(show) {
    detailsWanted = show;
    panel.hidden = !show;
    detailing.setAttribute("aria-expanded", String(show));
  }

  function refresh() {
    list = read();
    const still = list.findIndex(({ id }) => id === shown?.id);
    at = still >= 0 ? still : Math.min(at, list.length - 1);
    render();
  }

  const unsubscribe = store?.subscribe?.(refresh);
  const closed = overlay.closed.then(() => {
    unsubscribe?.();
    pane.close();
    return shown;
  });
  const wanted = detailsWanted;
  showDetails(wanted ?? matchMedia("(min-width: 64rem)").matches);
  detailsWanted = wanted;
  render();
  return {
    closed,
    close: overlay.close,
    show: (id) => go(list.findIndex((image) => image.id === id)),
  };
}

/** The group of buttons that zoom, and the place where the size is told. */
function zoomButtons(pane, level) {
  return h(
    "div",
    { class: "ov-group", role: "group", "aria-label": t("viewer_zoom") },
    iconButton("zoomout", t("viewer_zoom_out"), () => pane.zoomOut(), { shortcut: "-" }),
    level,
    iconButton("zoomin", t("viewer_zoom_in"), () => pane.zoomIn(), { shortcut: "+" }),
    iconButton("fit", t("viewer_fit"), () => pane.fit(), { shortcut: "0" }),
    iconButton("actual", t("viewer_actual"), () => pane.actual(), { shortcut: "1" }),
  );
}
