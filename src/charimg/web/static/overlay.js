// A full-screen dialog with keys of its own: the frame of viewer, comparison, turntable and sheet.

import { t } from "./config.js";
import { copy, h, root } from "./dom.js";
import { icon } from "./icons.js";
import { bind, openSheet } from "./shortcuts.js";

let styles = null;

/** Load viewer.css once; without it everything still works. */
export function loadStyles() {
  styles ??= new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL("./viewer.css", import.meta.url).href;
    // A host's policy may allow only what carries its nonce.
    const { nonce } = document.querySelector("script[nonce], link[nonce]") ?? {};
    if (nonce) link.nonce = nonce;
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", resolve, { once: true });
    document.head.append(link);
  });
  return styles;
}

/**
 * Open an overlay; one of the same name that is open is closed.
 *
 * `keys` is a list of [key or keys, labelKey, handler] as `bind` takes them; they hold while the
 * focus is inside. `returnFocus` gives the element for the focus when the opener is gone.
 * Resolves with {dialog, title, tools, body, announce(text), close(), closed: Promise}.
 */
export async function openOverlay({ name, title, keys = [], returnFocus = null }) {
  const opener = document.activeElement;
  await loadStyles();
  // One that was closed just now is there until it hears of it.
  document.querySelector(`dialog.ov-${name}[open]`)?.close();
  const id = `ov-${name}-title`;
  const heading = h("h2", { id, class: "ov-title", tabindex: "-1", text: title });
  const live = h("p", { class: "ov-unseen", role: "status" });
  const tools = h("div", { class: "ov-tools" });
  const body = h("div", { class: "ov-body" });
  const close = iconButton("close", t("viewer_close"), () => dialog.close());
  const help = iconButton("keys", t("shortcuts"), openSheet, { shortcut: "?" });
  const dialog = h(
    "dialog",
    { class: `ov ov-${name}`, "aria-labelledby": id, dataset: { scope: name } },
    h("header", { class: "ov-head" }, heading, tools, help, close),
    body,
    live,
  );
  const unbind = bindAll([...keys, ["?", "shortcuts", openSheet]], name);
  const closed = new Promise((resolve) => {
    const onClose = () => {
      keeper.disconnect();
      unbind();
      moveNotices();
      dialog.remove();
      giveFocus(opener, returnFocus);
      resolve();
    };
    dialog.addEventListener("close", onClose, { once: true });
  });
  root().append(dialog);
  dialog.showModal();
  moveNotices();
  heading.focus();
  // What goes, a notice by its Undo for one, must not take the focus out of the dialog.
  const keeper = new MutationObserver(() => {
    if (topmost() === dialog && !canHaveFocus(document.activeElement)) heading.focus();
  });
  keeper.observe(dialog, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["hidden", "disabled"],
  });
  return {
    dialog,
    title: heading,
    tools,
    body,
    closed,
    close: () => dialog.close(),
    // The region of the page lies beneath the dialog, where nothing is heard.
    announce: (text) => {
      live.textContent = live.textContent === text ? `${text}\u00a0` : text;
    },
  };
}

/** Whether it is still of use; what was hidden just now keeps the focus until the next frame. */
const canHaveFocus = (element) =>
  element !== document.body && element.getClientRects().length > 0 && !element.matches(":disabled");

const topmost = (which = "") => [...document.querySelectorAll(`dialog${which}:modal`)].at(-1);

/** Notices, with their Undo, go to where they can be seen and used: into the topmost dialog. */
function moveNotices() {
  const notices = document.getElementById("ci-toasts");
  if (!notices) return;
  const top = topmost(".ov") ?? root();
  if (notices.parentElement !== top) top.append(notices);
}

/** Lead the focus back to the opener, or to the best place that is there and not hidden. */
function giveFocus(opener, returnFocus) {
  const places = [
    () => (opener === document.body ? null : opener),
    () => returnFocus?.(),
    () => topmost(".ov")?.querySelector(".ov-title"),
    () => document.querySelector('[role="gridcell"][tabindex="0"]'),
    () => document.getElementById("ci-images-title"),
  ];
  for (const placeOf of places) {
    const place = placeOf();
    place?.focus({ preventScroll: place === opener });
    if (place && document.activeElement === place) return;
  }
}

function bindAll(keys, scope) {
  const unbinders = keys.flatMap(([names, labelKey, handler]) =>
    [names].flat().map((key) => bind(key, labelKey, handler, scope)),
  );
  return () => unbinders.forEach((unbind) => unbind());
}

/** Which way a key with an arrow goes: [right, down]. */
export function arrow({ key }) {
  return { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
}

export const PAN_KEYS = ["Shift+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp", "Shift+ArrowDown"];

/** A button that shows a sign and is named by its label. */
export function iconButton(sign, label, onclick, { shortcut = null, ...props } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "ov-icon",
      "aria-label": label,
      title: shortcut ? `${label} (${shortcut})` : label,
      // Not the event: what is called takes arguments of its own.
      onclick: () => onclick(),
      ...props,
    },
    icon(sign),
  );
}

/** A button with a text, and a sign before it where one is named. */
export function textButton(text, onclick, { sign = null, ...props } = {}) {
  return h(
    "button",
    { type: "button", class: "ov-button", onclick: () => onclick(), ...props },
    sign && icon(sign),
    h("span", { text }),
  );
}

/** A button that copies a text and says so in its own words. */
export function copyButton(label, textOf) {
  const words = h("span", { text: t("viewer_copy") });
  const live = h("span", { class: "ov-unseen", role: "status" });
  let timer = 0;
  const onclick = async () => {
    const said = t((await copy(textOf())) ? "viewer_copied" : "viewer_copy_failed");
    words.textContent = said;
    live.textContent = said;
    clearTimeout(timer);
    timer = setTimeout(() => {
      words.textContent = t("viewer_copy");
      live.textContent = "";
    }, 2000);
  };
  return h(
    "span",
    { class: "ov-copy" },
    h(
      "button",
      { type: "button", class: "ov-button ov-small", onclick },
      icon("copy"),
      words,
      h("span", { class: "ov-unseen", text: ` ${label}` }),
    ),
    live,
  );
}
