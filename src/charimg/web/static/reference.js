// The reference panel: the prompt, what a new reference will delete, and the latest one, large.

import { actions, can } from "./actions.js";
import { api } from "./api.js";
import { config, fmt, t } from "./config.js";
import { $, announce, button, dialog, h, icon, isOff, setOff } from "./dom.js";
import { jobs, run, running, subscribe } from "./operations.js";
import { progressOf, showError, showFailure } from "./panel.js";
import { store } from "./state.js";
import { toast } from "./toast.js";

const DRAFT = `charimg:draft:${config.base}:${config.characterId}`;

/** The suggestion that stands in the field untouched, or null once the user wrote. */
let suggested = null;
let asked = 0;
let writes = 0;
let sending = false;

const field = () => $("ci-prompt");
const policy = () => $("ci-policy")?.value ?? "delete-all";

function draft(text) {
  try {
    if (text === undefined) return sessionStorage.getItem(DRAFT);
    if (text === null) sessionStorage.removeItem(DRAFT);
    else sessionStorage.setItem(DRAFT, text);
  } catch {
    // A draft is kept for the reload's sake only.
  }
  return null;
}

/** Put a text into the prompt; what the user had written can be brought back. */
export function setPrompt(text, { said, isSuggestion = false }) {
  const before = field().value;
  const wasTyped = suggested === null && before.trim() !== "" && before !== text;
  field().value = text;
  suggested = isSuggestion ? text : null;
  draft(isSuggestion ? null : text);
  check();
  if (!wasTyped) {
    if (said) announce(said);
    return;
  }
  toast({
    text: said,
    seconds: 10,
    action: {
      text: t("undo"),
      run() {
        field().value = before;
        suggested = null;
        draft(before);
        check();
        field().focus();
      },
    },
  });
}

async function suggest({ reset }) {
  const turn = (asked += 1);
  const seen = writes;
  const note = $("ci-prompt-note");
  setOff($("ci-reset"), true);
  note.textContent = t("suggestion_loading");
  try {
    const said = await api.suggest();
    if (turn !== asked) return;
    // What was typed while the suggestion was on its way stays.
    const typed = reset ? writes !== seen : suggested === null && field().value.trim() !== "";
    if (typed) note.textContent = t("suggestion_kept");
    else {
      setPrompt(said.prompt, { said: reset ? t("prompt_reset") : "", isSuggestion: true });
      note.textContent = said.reason ?? t("suggestion_shown");
    }
  } catch (error) {
    if (turn === asked) note.textContent = t("suggestion_failed", { reason: error.message });
  } finally {
    if (turn === asked) setOff($("ci-reset"), false);
  }
}

function check() {
  const blank = field().value.trim() === "";
  const off = sending || running() !== null || blank || isUnlinked();
  setOff($("ci-generate"), off);
  if (blank && writes) field().setAttribute("aria-invalid", "true");
  else field().removeAttribute("aria-invalid");
  $("ci-prompt-error").hidden = !(blank && writes);
}

export const isUnlinked = () => store.character !== null && !store.character.libraryDbId;

/** What will go, in words; an empty list when nothing will. */
function losses(counts) {
  const here = policy() === "keep-history" ? 0 : counts.all;
  const lines = [];
  if (here) {
    const kinds = [
      ["reference", "count_references"],
      ["portfolioItem", "count_shots"],
      ["scene", "count_scenes"],
    ]
      .filter(([kind]) => counts[kind])
      .map(([kind, key]) => t(key, { count: counts[kind] }));
    const list = new Intl.ListFormat(config.lang || undefined).format(kinds);
    lines.push(t(policy() === "delete-all" ? "loss_before" : "loss_after", { count: here, list }));
  }
  if (counts.reference) lines.push(t("loss_remote"));
  return lines;
}

function foresee() {
  const note = $("ci-consequence");
  const count = store.total;
  if (count === null) return;
  const keys = {
    "delete-all": "will_delete",
    "delete-after-success": "will_delete_after",
    "keep-history": "will_keep",
  };
  const here = t(count ? keys[policy()] : "will_not_delete", { count });
  const text = store.references.length ? `${here} ${t("will_delete_remote")}` : here;
  note.replaceChildren(
    icon(count && policy() !== "keep-history" ? "warning" : "info"),
    h("span", { text }),
  );
  note.classList.toggle("warn", count > 0 && policy() !== "keep-history");
}

async function generate(event) {
  event?.preventDefault();
  const prompt = field().value;
  if (isOff($("ci-generate"))) {
    writes += prompt.trim() === "" ? 1 : 0;
    check();
    if (prompt.trim() === "") field().focus();
    return;
  }
  sending = true;
  check();
  showError($("ci-reference-error"), null);
  try {
    const lines = losses(await store.counts());
    if (lines.length && !(await agreed(lines))) return;
    const said = await run("reference", { prompt, policy: policy() });
    draft(null);
    for (const { message } of said.warnings ?? [])
      toast({ text: message, kind: "warn", seconds: 0 });
    const removed = said.data?.removed;
    toast({
      text: removed ? t("reference_done_removed", { count: removed }) : t("done_reference"),
      kind: "ok",
    });
  } catch (error) {
    showFailure($("ci-reference-error"), error, () => generate());
  } finally {
    sending = false;
    check();
  }
}

const agreed = (lines) =>
  dialog.confirm({
    title: t("replace_title"),
    body: [
      h("p", { text: t("replace_lead") }),
      h(
        "ul",
        { class: "ci-losses" },
        lines.map((text) => h("li", null, icon("warning"), h("span", { text }))),
      ),
    ],
    yes: t("replace_yes"),
    danger: policy() !== "keep-history",
  });

let shown = null;

function showLatest() {
  const image = store.current;
  const signature = image ? `${image.id} ${image.media?.url}` : store.phase;
  if (signature === shown) return;
  shown = signature;
  const box = $("ci-latest");
  box.classList.toggle("empty", !image);
  if (!image) {
    box.replaceChildren(
      h(
        "div",
        { class: "ci-empty" },
        icon("person"),
        h("p", {
          text: t({ loading: "loading", failed: "list_failed" }[store.phase] ?? "no_reference"),
        }),
      ),
    );
    return;
  }
  const { media } = image;
  const view = h(
    "button",
    {
      type: "button",
      class: "ci-latest-view",
      "aria-label": t("view_of", { name: media.alt }),
      onclick: () => actions.view(image),
    },
    h("img", {
      src: media.url,
      alt: media.alt,
      width: media.width,
      height: media.height,
      decoding: "async",
      fetchpriority: "high",
    }),
  );
  box.replaceChildren(
    view,
    h(
      "div",
      { class: "ci-latest-foot" },
      h(
        "p",
        null,
        h("span", { class: "ci-badge" }, icon("star"), t("current")),
        h("time", {
          datetime: image.createdAt,
          text: fmt.moment(image.createdAt),
          title: fmt.date(image.createdAt),
        }),
      ),
      h(
        "div",
        { class: "ci-row" },
        can.download(image)
          ? button({ label: t("download"), icon: "download", kind: "quiet" }, () =>
              actions.download(image),
            )
          : null,
        can.copyLink(image)
          ? button({ label: t("copy_link"), icon: "link", kind: "quiet" }, () =>
              actions.copyLink(image),
            )
          : null,
        button({ label: t("reuse"), icon: "reuse", kind: "quiet" }, () => actions.reuse(image)),
      ),
    ),
  );
}

function showJob() {
  const found = [...jobs.values()].find(({ kind }) => kind === "reference");
  progressOf($("ci-reference-progress"), found);
  check();
}

/** Wire the panel that the shell holds, and ask for a suggestion. `open` unfolds it. */
export function mountReference(open) {
  const kept = draft();
  if (kept) {
    field().value = kept;
    writes = 1;
  }
  field().readOnly = false;
  field().addEventListener("input", () => {
    writes += 1;
    suggested = null;
    draft(field().value);
    check();
  });
  $("ci-reset").addEventListener("click", () => isOff($("ci-reset")) || suggest({ reset: true }));
  $("ci-reference-form").addEventListener("submit", generate);
  $("ci-policy")?.addEventListener("change", foresee);
  document.addEventListener("charimg:reuse", ({ detail: image }) => {
    if (image.kind === "scene") return;
    open(true);
    setPrompt(image.prompt, { said: t("prompt_reused") });
    field().focus();
  });
  store.subscribe(() => {
    showLatest();
    foresee();
    check();
  });
  subscribe(showJob);
  showLatest();
  check();
  suggest({ reset: false });
}
