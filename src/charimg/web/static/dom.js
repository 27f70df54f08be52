// Building elements without markup in strings; announcements; dialogs.

import { t } from "./config.js";

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** The element that holds everything of ours: layers are put inside, so that our styles reach. */
export const root = () => $("charimg") ?? document.body;

/**
 * Build an element. `props`: `class`, `text`, `dataset`, `on<event>` functions, properties
 * (`value`, `checked`, `disabled`, `hidden`), and attributes; null, undefined and false are left
 * out. Children are nodes or texts; no child is ever read as markup.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden") {
      element[name] = value;
    } else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** A drawing from the shell's sprite; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `ci-icon ${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#ci-i-${name}`);
  svg.append(use);
  return svg;
}

/** A button with an icon, a text, or both; with an icon alone, `label` names it. */
export function button({ label, icon: drawing, text, kind = "", ...props }, onclick) {
  return h(
    "button",
    {
      type: "button",
      class: `ci-button ${kind}`.trim(),
      "aria-label": text ? null : label,
      title: text ? null : label,
      onclick,
      ...props,
    },
    drawing ? icon(drawing) : null,
    text ? h("span", { text }) : null,
  );
}

/** Say that a button cannot be used now, and keep it in reach of the keyboard. */
export function setOff(element, off) {
  if (off) element.setAttribute("aria-disabled", "true");
  else element.removeAttribute("aria-disabled");
}

export const isOff = (element) => element.getAttribute("aria-disabled") === "true";

/**
 * Give the buttons of a toolbar one tab stop together: arrows, Home and End move among them.
 * `columns` is how many stand in a row. Gives what must be called when its buttons changed.
 */
export function roving(toolbar, columns = 1) {
  let at = 0;
  const items = () => [...toolbar.querySelectorAll("button")];
  const settle = () => {
    const all = items();
    at = Math.max(0, Math.min(at, all.length - 1));
    all.forEach((item, index) => {
      item.tabIndex = index === at ? 0 : -1;
    });
  };
  toolbar.addEventListener("focusin", ({ target }) => {
    const found = items().indexOf(target.closest("button"));
    if (found < 0) return;
    at = found;
    settle();
  });
  toolbar.addEventListener("keydown", (event) => {
    const last = items().length - 1;
    const forward = getComputedStyle(toolbar).direction === "rtl" ? -1 : 1;
    const to = {
      ArrowRight: at + forward,
      ArrowLeft: at - forward,
      ArrowDown: at + columns,
      ArrowUp: at - columns,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (to >= 0 && to <= last) items()[to].focus();
  });
  return settle;
}

let said = 0;

/** Tell a screen reader. The same words again are told again. */
export function announce(text, assertive = false) {
  const region = $(assertive ? "ci-alert" : "ci-status");
  if (!region) return;
  // A changing end, which nobody hears, makes a repeated text a new one.
  said += 1;
  region.textContent = text + (said % 2 ? "\u00a0" : "");
}

/** Write a text to the clipboard, and tell whether that worked. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure context there is no clipboard; the old way still works there.
    const field = h("textarea", { class: "ci-hidden", "aria-hidden": "true", tabindex: -1 });
    field.value = text;
    const before = document.activeElement;
    ([...document.querySelectorAll("dialog:modal")].at(-1) ?? root()).append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    before?.focus?.();
    return done;
  }
}

export const dialog = {
  /**
   * Open a modal dialog, and give it. `body` is a node or several; it closes on Escape and by its
   * close button, and the focus goes back to where it was.
   */
  open({ title, body, footer = [], className = "", onClose, scope }) {
    const before = document.activeElement;
    const id = `ci-dialog-${(said += 1)}`;
    const element = h(
      "dialog",
      {
        class: `ci-dialog ${className}`.trim(),
        "aria-labelledby": id,
        dataset: scope ? { scope } : {},
      },
      h(
        "header",
        { class: "ci-dialog-head" },
        h("h2", { id, text: title }),
        button({ label: t("close"), icon: "close", kind: "quiet" }, () => element.close()),
      ),
      h("div", { class: "ci-dialog-body" }, body),
      footer.length ? h("footer", { class: "ci-dialog-foot" }, footer) : null,
    );
    element.addEventListener("close", () => {
      element.remove();
      if (before?.isConnected) before.focus({ preventScroll: true });
      onClose?.(element.returnValue);
    });
    element.addEventListener("click", (event) => {
      if (event.target === element) element.close();
    });
    root().append(element);
    element.showModal();
    return element;
  },

  /** Ask before something that cannot be undone; resolves with whether to go on. */
  confirm({ title, body, yes, danger = false }) {
    return new Promise((resolve) => {
      const element = dialog.open({
        title,
        body,
        footer: [
          button({ text: t("cancel"), autofocus: true }, () => element.close()),
          button({ text: yes, kind: danger ? "danger" : "primary" }, () => element.close("yes")),
        ],
        onClose: (value) => resolve(value === "yes"),
      });
    });
  },
};
