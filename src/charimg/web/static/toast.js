// Notices at the foot of the page: what was done, what failed, and the way back.

import { t } from "./config.js";
import { $, announce, button, h, icon } from "./dom.js";

const SIGNS = { info: "info", ok: "check", warn: "warning", error: "error" };

/**
 * Show a notice. `seconds` 0 keeps it until it is closed; the time stands still while the pointer
 * or the focus is on it. `action` is `{text, run}`. Gives `{element, close(), update(text)}`.
 */
export function toast({ text, detail = "", kind = "info", action = null, seconds = 6, onEnd }) {
  const words = h("span", { class: "ci-toast-text", text });
  const bar = seconds ? h("span", { class: "ci-toast-time", "aria-hidden": "true" }) : null;
  const element = h(
    "div",
    { class: `ci-toast ${kind}`, role: "group", "aria-label": t(`notice_${kind}`) },
    icon(SIGNS[kind]),
    h("p", null, words, detail ? h("span", { class: "ci-toast-detail", text: detail }) : null),
    action
      ? button({ text: action.text, kind: "small", "aria-keyshortcuts": action.keys }, () => {
          handle.close(false);
          action.run();
        })
      : null,
    button({ label: t("dismiss"), icon: "close", kind: "quiet small" }, () => handle.close()),
    bar,
  );
  let left = seconds * 1000;
  let since = 0;
  let timer = 0;
  let ended = false;
  const go = () => {
    if (!seconds || ended) return;
    clearTimeout(timer);
    since = performance.now();
    timer = setTimeout(() => handle.close(), left);
    element.classList.remove("held");
  };
  const hold = () => {
    if (!seconds || ended) return;
    clearTimeout(timer);
    left = Math.max(1500, left - (performance.now() - since));
    element.classList.add("held");
  };
  const handle = {
    element,
    /** Take it away; `done` false leaves `onEnd` uncalled. */
    close(done = true) {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      const focused = element.contains(document.activeElement);
      element.remove();
      if (focused)
        (document.querySelector('[role="gridcell"][tabindex="0"]') ?? $("ci-main")).focus();
      if (done) onEnd?.();
    },
    update(next) {
      words.textContent = next;
      left = seconds * 1000;
      go();
    },
  };
  element.addEventListener("pointerenter", hold);
  element.addEventListener("pointerleave", () => element.contains(document.activeElement) || go());
  element.addEventListener("focusin", hold);
  element.addEventListener("focusout", (event) => element.contains(event.relatedTarget) || go());
  if (bar) bar.style.animationDuration = `${seconds}s`;
  const place = $("ci-toasts");
  place.append(element);
  // More than a few at once hide the page; those that end on their own go first.
  const crowd = [...place.children];
  if (crowd.length > 4)
    crowd
      .find((each) => !each.classList.contains("error"))
      ?.querySelector(".quiet")
      ?.click();
  announce(detail ? `${text} ${detail}` : text, kind === "error");
  go();
  return handle;
}

/** Show why something failed; it stays until it is closed. */
export function failed(text, error, action = null) {
  return toast({ text, detail: error?.message ?? "", kind: "error", seconds: 0, action });
}
