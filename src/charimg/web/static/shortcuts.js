// Keys and what they do. The sheet on `?` is made of the bindings themselves.

import { t } from "./config.js";
import { dialog, h } from "./dom.js";

const SWITCH = "charimg:single-keys";
const SCOPES = ["page", "form", "grid", "viewer", "turntable", "sheet"];
const NAMED = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  " ": "key_space",
  Enter: "key_enter",
  Escape: "key_escape",
  Delete: "key_delete",
  Home: "key_home",
  End: "key_end",
  PageUp: "key_page_up",
  PageDown: "key_page_down",
};
const isMac = /Mac|iP(ad|hone)/.test(navigator.platform);

const bindings = [];

function stored() {
  try {
    return localStorage.getItem(SWITCH) !== "off";
  } catch {
    return true;
  }
}
let singleKeys = stored();

/**
 * Bind a key. `key` is that of the event, after `Mod+` (Ctrl, or ⌘ on a Mac), `Shift+` or `Alt+`.
 * `scope` is `page`, or the `data-scope` of the element that must hold the focus. `labelKey` names
 * the text of the sheet; without one the binding is not told there. Gives a function that unbinds.
 */
export function bind(key, labelKey, handler, scope = "page") {
  const binding = { key, labelKey, handler, scope };
  bindings.push(binding);
  return () => {
    const at = bindings.indexOf(binding);
    if (at >= 0) bindings.splice(at, 1);
  };
}

function keyOf(event) {
  const mod = event.ctrlKey || event.metaKey ? "Mod+" : "";
  const alt = event.altKey ? "Alt+" : "";
  // The shift that makes a character, such as `?`, is no modifier of ours.
  const shift =
    event.shiftKey && event.key.length > 1
      ? "Shift+"
      : event.shiftKey && event.key === " "
        ? "Shift+"
        : "";
  const name = event.key.length === 1 && mod ? event.key.toLowerCase() : event.key;
  return mod + alt + shift + name;
}

const isField = (target) =>
  target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
const isPressed = (target) => target.closest('button, a[href], summary, [role="menuitem"]');

function onKey(event) {
  if (event.defaultPrevented || event.isComposing) return;
  const { target } = event;
  if (!(target instanceof Element) || target.closest('[role="menu"]')) return;
  const key = keyOf(event);
  const single = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  // A checkbox takes no text, so keys other than its own still work upon it.
  const writes = isField(target) && !/^(checkbox|radio|range)$/.test(target.type);
  if (writes && key !== "Escape" && key !== "Mod+Enter") return;
  if ((key === "Enter" || key === " ") && (isPressed(target) || isField(target))) return;
  if (isField(target) && event.key.startsWith("Arrow")) return;
  const scopes = [];
  for (
    let at = target.closest("[data-scope]");
    at;
    at = at.parentElement?.closest("[data-scope]")
  ) {
    scopes.push(at.dataset.scope);
  }
  const modal = document.querySelector("dialog:modal");
  if (!modal) scopes.push("page");
  for (const scope of scopes) {
    // Latest first, so that an overlay may take a key over.
    for (const binding of bindings.toReversed()) {
      if (binding.scope !== scope || binding.key !== key) continue;
      if (single && scope === "page" && !singleKeys) continue;
      if (binding.handler(event) === false) continue;
      event.preventDefault();
      return;
    }
  }
}

const keyText = (part) => {
  if (part === "Mod") return isMac ? "⌘" : t("key_ctrl");
  if (part === "Shift") return t("key_shift");
  if (part === "Alt") return t("key_alt");
  const name = NAMED[part];
  if (!name) return part.length === 1 ? part.toUpperCase() : part;
  return name.startsWith("key_") ? t(name) : name;
};

function keys(key) {
  const parts = key === "+" ? ["+"] : key.split("+");
  return h(
    "span",
    { class: "ci-keys" },
    parts.map((part) => h("kbd", { text: keyText(part) })),
  );
}

/** Open the sheet of all keys that are bound now. */
export function openSheet() {
  const groups = [];
  // What holds now comes first.
  const top = [...document.querySelectorAll("dialog:modal")].at(-1)?.dataset.scope;
  const scopes = [
    ...new Set([...(top ? [top] : []), ...SCOPES, ...bindings.map(({ scope }) => scope)]),
  ];
  for (const scope of scopes) {
    const rows = new Map();
    for (const { key, labelKey, scope: of } of bindings) {
      if (of !== scope || !labelKey) continue;
      if (!rows.has(labelKey)) rows.set(labelKey, new Set());
      rows.get(labelKey).add(key);
    }
    if (!rows.size) continue;
    groups.push(
      h(
        "section",
        { class: "ci-sheet-group" },
        h("h3", { text: t(`scope_${scope}`) }),
        h(
          "dl",
          null,
          [...rows].map(([labelKey, list]) =>
            h("div", null, h("dt", null, [...list].map(keys)), h("dd", { text: t(labelKey) })),
          ),
        ),
      ),
    );
  }
  const toggle = h("input", { type: "checkbox", checked: singleKeys, onchange: onSwitch });
  dialog.open({
    title: t("shortcuts"),
    className: "ci-shortcuts",
    body: [
      ...groups,
      h("label", { class: "ci-check" }, toggle, h("span", { text: t("shortcuts_single") })),
    ],
  });
}

function onSwitch(event) {
  singleKeys = event.target.checked;
  try {
    localStorage.setItem(SWITCH, singleKeys ? "on" : "off");
  } catch {
    // Without storage the choice holds for this page.
  }
}

/** Begin to listen. */
export function listen() {
  document.addEventListener("keydown", onKey);
  bind("?", "shortcuts", () => openSheet());
}
