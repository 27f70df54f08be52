// All images of a character on one sheet, and the sheet as a file to keep.

import { config, fmt, t } from "./config.js";
import { h } from "./dom.js";
import { groupsOf } from "./contents.js";
import { altOf, failureText } from "./describe.js";
import { openOverlay, textButton } from "./overlay.js";
import { ORIGIN, fileName, save } from "./save.js";

/** So many cards are made in one go. */
const AT_ONCE = 200;

/**
 * Open the contact sheet.
 *
 * @param images The images, or a function that gives them or a promise of them.
 * @param character {name}; it names the files.
 * @param returnFocus Gives the element that gets the focus when the opener is gone.
 * @returns {closed: Promise, close()}
 */
export async function openContactSheet({ images, character, returnFocus = null }) {
  const name = character?.name || t("sheet_nameless");
  const title = t("sheet_title", { name });
  const overlay = await openOverlay({ name: "sheet", title, returnFocus });
  const status = h("div", { class: "cs-status", role: "status" });
  const sheet = h("div", { class: "cs-sheet", tabindex: "0", role: "region", "aria-label": title });
  overlay.body.append(status, sheet);
  const list = await (typeof images === "function" ? images() : images);
  const groups = groupsOf(list);
  if (groups.length === 0) sheet.append(h("p", { class: "cs-empty", text: t("sheet_empty") }));
  fill(sheet, groups, () => overlay.dialog.open);
  const exporter = new Exporter({ groups, name, title, count: list.length, status });
  if (groups.length > 0) overlay.tools.append(...exporter.buttons);
  overlay.closed.then(() => exporter.cancel());
  return { closed: overlay.closed, close: overlay.close };
}

/** Put the groups on the sheet, some at a time, so that thousands do not hold up the page. */
async function fill(sheet, groups, isOpen) {
  let placed = 0;
  for (const { title, entries } of groups) {
    const grid = h("ul", { class: "cs-grid" });
    const count = h("small", { text: t("sheet_count", { count: entries.length }) });
    sheet.append(h("section", { class: "cs-group" }, h("h3", null, title, " ", count), grid));
    for (const entry of entries) {
      grid.append(card(entry));
      placed += 1;
      if (placed % AT_ONCE === 0) {
        await new Promise((resolve) => setTimeout(resolve));
        if (!isOpen()) return;
      }
    }
  }
}

function card({ image, title, lines, failed }) {
  return h(
    "li",
    null,
    h(
      "figure",
      null,
      failed ? h("p", { class: "cs-slot", text: failureText(image) }) : picture(image),
      h(
        "figcaption",
        null,
        h("strong", { text: title }),
        ...lines.map((text) => h("span", { text })),
      ),
    ),
  );
}

function picture(image) {
  const { media } = image;
  return h("img", {
    src: media.thumbnailURL || media.url,
    alt: altOf(image),
    loading: "lazy",
    decoding: "async",
    width: media.width || 3,
    height: media.height || 4,
  });
}

class Exporter {
  #sheet;
  #status;
  #aborter = null;

  constructor({ status, ...sheet }) {
    this.#sheet = sheet;
    this.#status = status;
    this.full = h("input", { type: "checkbox" });
    const png = textButton(t("sheet_png"), () => this.#run(png, (job) => this.#png(job)), {
      sign: "save",
    });
    const html = textButton(t("sheet_html"), () => this.#run(html, (job) => this.#html(job)), {
      sign: "save",
    });
    this.buttons = [
      png,
      html,
      h(
        "label",
        { class: "ov-check", title: t("sheet_full_hint") },
        this.full,
        h("span", { text: t("sheet_full") }),
      ),
    ];
  }

  cancel() {
    this.#aborter?.abort();
  }

  /** Make files and save them; a second order takes the place of the first. */
  async #run(button, make) {
    this.cancel();
    const aborter = new AbortController();
    this.#aborter = aborter;
    const { signal } = aborter;
    const onProgress = this.#showProgress();
    try {
      const { files, unread } = await Promise.race([
        make({ ...this.#job(), signal, onProgress }),
        stopped(signal),
      ]);
      this.#finish(files, unread, button);
    } catch (error) {
      if (this.#aborter !== aborter) return;
      if (signal.aborted) this.#show("", [], button);
      else this.#say("cs-bad", "sheet_export_failed", { reason: error.message }, button);
    }
  }

  #finish(files, unread, button) {
    const shown = this.#sheet.groups
      .flatMap(({ entries }) => entries)
      .filter(({ failed }) => !failed);
    if (shown.length > 0 && unread.length === shown.length) {
      this.#say("cs-bad", "sheet_none_read", { reason: reasonOf(unread) }, button);
      return;
    }
    for (const [name, blob] of files) save(blob, name);
    const saved = files.map(([name, { size }]) => `${name} (${fmt.size(size)})`).join(", ");
    if (unread.length === 0) this.#say("cs-good", "sheet_saved", { files: saved }, button);
    else {
      const params = { files: saved, count: unread.length, reason: reasonOf(unread) };
      this.#say("cs-warn", "sheet_saved_partly", params, button);
    }
  }

  async #png(job) {
    const { drawSheets } = await import("./sheetpng.js");
    const { blobs, unread } = await drawSheets(job);
    const part = (index) => (blobs.length > 1 ? ` ${index + 1}` : "");
    return { files: blobs.map((blob, index) => [this.#name("png", part(index)), blob]), unread };
  }

  async #html(job) {
    const { writeSheet } = await import("./sheethtml.js");
    const { blob, unread } = await writeSheet({
      ...job,
      lang: config.lang,
      full: this.full.checked,
    });
    return { files: [[this.#name("html"), blob]], unread };
  }

  #name(extension, part = "") {
    return fileName(`${this.#sheet.name} ${t("sheet_file")}${part}`, extension);
  }

  #job() {
    const { groups, title, count } = this.#sheet;
    const date = fmt.date(new Date().toISOString());
    return { groups, title, subtitle: [date, t("sheet_count", { count })].join(" · ") };
  }

  #showProgress() {
    const bar = h("progress", { max: "1", value: 0, "aria-label": t("sheet_progress") });
    const words = h("span", { "aria-hidden": "true" });
    const stop = textButton(t("viewer_cancel"), () => this.cancel(), {
      class: "ov-button ov-small",
    });
    this.#show("", [bar, words, stop]);
    return (done, total) => {
      bar.max = total;
      bar.value = done;
      words.textContent = t("sheet_reading", { done, total });
    };
  }

  #say(className, key, params, button) {
    this.#show(className, [h("p", { text: t(key, params) })], button);
  }

  #show(className, content, button = null) {
    // The button that cancels goes; who pressed it is led back.
    if (button && this.#status.contains(document.activeElement)) button.focus();
    this.#status.className = `cs-status ${className}`;
    this.#status.replaceChildren(...content);
  }
}

/** Fails once the signal says so, whatever else is waited for. */
function stopped(signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Why images could not be read, and what can be done about it. */
function reasonOf(unread) {
  const foreign = unread.filter(({ problem }) => problem === ORIGIN);
  if (foreign.length === 0) return t("sheet_reason_network");
  const origins = foreign.map(({ entry }) => new URL(entry.image.media.url, location.href).origin);
  return t("sheet_reason_origin", { origin: [...new Set(origins)].join(", ") });
}
