// The menu of a card's actions: one element, filled when it is opened.

import { actions, can } from "./actions.js";
import { brief, t } from "./config.js";
import { h, icon, root } from "./dom.js";

const ITEMS = [
  ["view", "view", "expand", "Enter"],
  ["download", "download", "download", "D"],
  ["copyLink", "copy_link", "link", "C"],
  ["copyPrompt", "copy_prompt", "copy", ""],
  ["reuse", "reuse", "reuse", "U"],
  ["retry", "retry", "retry", "R"],
  ["bringBack", "bring_back", "retry", "R"],
  ["restore", "restore", "star", ""],
  ["remove", "delete", "trash", "Del"],
];

let menu = null;
let openedAt = 0;

/** Close the menu, if one is open. */
export function closeMenu() {
  if (menu?.matches(":popover-open")) menu.hidePopover();
}

/** Open the menu of an image at its button. `onRemove` deletes with care for the focus. */
export function openMenu(image, opener, { onRemove }) {
  closeMenu();
  const back = opener.closest('[role="gridcell"]') ?? opener;
  const choose = (name) => {
    menu.hidePopover();
    if (name === "remove") onRemove(image);
    else actions[name](image);
  };
  const items = ITEMS.filter(([name]) => can[name](image)).map(([name, key, drawing, sign]) =>
    h(
      "button",
      {
        type: "button",
        role: "menuitem",
        tabindex: -1,
        class: name === "remove" ? "danger" : null,
        onclick: () => choose(name),
      },
      icon(drawing),
      h("span", { text: t(key) }),
      sign ? h("kbd", { "aria-hidden": "true", text: sign }) : null,
    ),
  );
  const element = h(
    "div",
    {
      class: "ci-menu",
      role: "menu",
      popover: "auto",
      "aria-label": t("actions_of", { name: image.media?.alt || brief(image.prompt) }),
    },
    items,
  );
  menu = element;
  element.addEventListener("keydown", (event) => onKey(event, items));
  element.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    opener.setAttribute("aria-expanded", "false");
    const inside =
      element.contains(document.activeElement) || document.activeElement === document.body;
    element.remove();
    if (inside && back.isConnected) back.focus({ preventScroll: true });
  });
  // Within the landmark of its images; the popover itself is above everything.
  (opener.closest("section") ?? root()).append(element);
  element.showPopover();
  opener.setAttribute("aria-expanded", "true");
  place(element, opener.getBoundingClientRect());
  openedAt = scrollY;
  items[0].focus({ preventScroll: true });
}

function place(element, from) {
  const { width, height } = element.getBoundingClientRect();
  const left = Math.min(Math.max(8, from.right - width), innerWidth - width - 8);
  const below = from.bottom + 4;
  const top = below + height > innerHeight - 8 ? Math.max(8, from.top - height - 4) : below;
  element.style.left = `${left}px`;
  element.style.top = `${top}px`;
}

function onKey(event, items) {
  const at = items.indexOf(document.activeElement);
  const moves = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  };
  let next = moves[event.key];
  if (next === undefined && event.key.length === 1 && event.key !== " ") {
    const letter = event.key.toLowerCase();
    const found = [...items.slice(at + 1), ...items.slice(0, at + 1)].find((item) =>
      item.textContent.trim().toLowerCase().startsWith(letter),
    );
    next = found ? items.indexOf(found) : undefined;
  }
  if (event.key === "Tab") {
    event.preventDefault();
    closeMenu();
    return;
  }
  if (next === undefined) return;
  event.preventDefault();
  items[next].focus();
}

// The end of a scroll that brought the card into view is none of the reader's own.
addEventListener("scroll", () => Math.abs(scrollY - openedAt) > 40 && closeMenu(), {
  passive: true,
});
addEventListener("resize", closeMenu, { passive: true });
