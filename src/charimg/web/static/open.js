// What is open of earlier generations: an image that may exist, and a job that does not end.

import { api } from "./api.js";
import { brief, fmt, t } from "./config.js";
import { $, announce, button, dialog, h, icon } from "./dom.js";
import { discover, latest, tell } from "./operations.js";
import { loadStyles } from "./overlay.js";
import { showError } from "./panel.js";
import { store } from "./state.js";
import { toast } from "./toast.js";

await loadStyles();

/** The cards that are shown, by the operation's id; each knows the state that it shows. */
const cards = new Map();

/** What may be done about an operation: its job waited for, its images brought in, or chosen. */
function kindOf({ kind, state, jobId, items }) {
  if (state !== "received") return kind === "portfolio" ? "set" : "image";
  const isPending = items.some(({ state: at }) => at === "pending");
  return jobId && !isPending ? "job" : "drawn";
}

/** Show a card for each open generation. Called whenever they may have changed. */
export function showOpen() {
  const place = $("ci-open");
  for (const [id, { element }] of cards) {
    if (latest.open.some((operation) => operation.id === id)) continue;
    const focused = element.contains(document.activeElement);
    element.remove();
    cards.delete(id);
    if (focused) (place.querySelector("h2") ?? $("ci-images-title")).focus();
  }
  for (const operation of latest.open) {
    const stamp = stampOf(operation);
    const shown = cards.get(operation.id);
    if (shown?.stamp === stamp) continue;
    const element = cardOf(operation);
    if (shown) shown.element.replaceWith(element);
    else {
      place.append(element);
      announce(t(`open_title_${kindOf(operation)}`));
    }
    cards.set(operation.id, { stamp, element });
  }
  place.hidden = !cards.size;
}

const stampOf = ({ state, updatedAt }) => `${state}${updatedAt}`;

/** Whether several of its candidates may be right: a set, or what a job drew that stands still. */
function isOfSet(operation) {
  const what = kindOf(operation);
  return what === "set" || (what === "job" && operation.items.length > 0);
}

const hasCandidates = (operation) => kindOf(operation) === "image" || isOfSet(operation);

const LEADS = {
  image: "open_unknown",
  set: "open_unknown",
  job: "open_job",
  drawn: "open_drawn",
};

function cardOf(operation) {
  const what = kindOf(operation);
  const id = `ci-open-${operation.id}`;
  const parts = {
    note: h("p", { class: "ci-note", role: "status" }),
    found: h("div", { class: "ci-open-found" }),
    error: h("div", { class: "ci-error", role: "alert", hidden: true }),
    row: h("div", { class: "ci-row" }),
  };
  const element = h(
    "article",
    { class: "ci-open-card", "aria-labelledby": id },
    icon("warning"),
    h(
      "div",
      null,
      h("h2", { id, tabindex: -1, text: t(`open_title_${what}`) }),
      h("p", {
        text: t(LEADS[what], {
          kind: t(`open_kind_${operation.kind}`),
          date: fmt.date(operation.createdAt),
        }),
      }),
      h("p", { text: seen(operation) }),
      operation.prompt
        ? h("p", { class: "ci-open-prompt", text: brief(operation.prompt, 300) })
        : null,
      Object.values(parts),
    ),
  );
  if (hasCandidates(operation)) look(operation, parts);
  else offer(operation, parts, []);
  return element;
}

/** How far it has come, as far as that was seen. */
function seen({ items, stored, progress }) {
  if (items.length) return t("slots_stored", { current: stored, total: items.length });
  return progress?.total ? t("open_seen", progress) : "";
}

/** Ask what it may have drawn, and show that. */
async function look(operation, parts) {
  parts.note.textContent = t("open_looking");
  let candidates = [];
  try {
    ({ candidates } = await api.candidates(operation.id));
    const question = isOfSet(operation) ? "open_choose_set" : "open_choose";
    parts.note.textContent = t(candidates.length ? question : "open_none");
  } catch (error) {
    parts.note.textContent = "";
    showError(parts.error, error);
  }
  const doubts = isOfSet(operation) ? common(candidates) : [];
  parts.found.replaceChildren(
    evidence(doubts),
    candidates.length
      ? h(
          "ul",
          { class: "ci-candidates" },
          candidates.map((each, index) => candidate(operation, parts, each, index + 1, doubts)),
        )
      : "",
  );
  offer(operation, parts, candidates);
}

/** What is said of every image of a set, behind the shot that it shows. */
function common([first, ...rest]) {
  const said = first?.evidence.slice(1) ?? [];
  return said.filter((text) => rest.every((each) => each.evidence.includes(text)));
}

const evidence = (texts) =>
  texts.length
    ? h(
        "ul",
        { class: "ci-evidence", "aria-label": t("open_evidence") },
        texts.map((text) => h("li", { text })),
      )
    : "";

function picture(operation, { mediaId }, alt) {
  const image = h("img", {
    src: api.candidateUrl(operation.id, mediaId),
    alt,
    loading: "lazy",
    decoding: "async",
  });
  image.addEventListener("error", () =>
    image.replaceWith(h("span", { class: "ci-broken" }, icon("broken"), t("broken", { alt }))),
  );
  return image;
}

function candidate(operation, parts, found, number, doubts) {
  const alt = t("open_candidate", { number });
  return h(
    "li",
    { class: "ci-candidate" },
    h(
      "a",
      {
        class: "ci-candidate-view",
        href: api.candidateUrl(operation.id, found.mediaId),
        target: "_blank",
        rel: "noopener",
        title: t("open_whole"),
      },
      picture(operation, found, alt),
      h("span", { class: "ci-hidden", text: t("open_whole") }),
    ),
    h("p", {
      class: "ci-candidate-time",
      text: [alt, fmt.date(found.drawnAt)].filter(Boolean).join(" · "),
    }),
    evidence(found.evidence.filter((text) => !doubts.includes(text))),
    isOfSet(operation)
      ? h(
          "label",
          { class: "ci-row" },
          h("input", { type: "checkbox", value: found.mediaId }),
          t("open_belongs", { number }),
        )
      : thisIsIt(operation, parts, found, alt),
  );
}

const thisIsIt = (operation, parts, found, alt) =>
  button(
    {
      text: t("open_this"),
      icon: "check",
      kind: "small",
      "aria-label": `${t("open_this")}: ${alt}`,
    },
    async () => {
      const lines = [t("open_this_lead")];
      if (operation.kind === "reference") lines.push(t("open_this_master"));
      const body = [h("div", { class: "ci-candidate-view" }, picture(operation, found, alt))];
      if (await asked("open_this", lines, body))
        act(operation, parts, () => api.settle(operation.id, { mediaIds: [found.mediaId] }));
    },
  );

/** Bring in those of a set that are chosen. */
async function take(operation, parts) {
  const chosen = [...parts.found.querySelectorAll("input:checked")].map(({ value }) => value);
  if (!chosen.length) {
    parts.note.textContent = t("open_choose_set");
    return;
  }
  const body = [h("p", { text: t("open_take_lead", { count: chosen.length }) })];
  if (await asked("open_take", [t("open_take_rest")], body))
    act(operation, parts, () =>
      api.settle(operation.id, { mediaIds: chosen }).catch((error) => {
        throw numbered(error, parts);
      }),
    );
}

/** Have an error name the images as the card does. */
function numbered(error, parts) {
  for (const [index, { value }] of parts.found.querySelectorAll("input").entries()) {
    const name = t("open_candidate", { number: index + 1 });
    error.message = error.message.replaceAll(`'${value}'`, name);
  }
  return error;
}

/** The buttons below: to close it where that can be, and to look again. */
function offer(operation, parts, candidates) {
  const what = kindOf(operation);
  const close = { job: "open_give_up", drawn: null };
  const key = what in close ? close[what] : candidates.length ? "open_no" : "open_nothing";
  parts.row.replaceChildren(
    ...[
      isOfSet(operation) && candidates.length
        ? button({ text: t("open_take"), icon: "check" }, () => take(operation, parts))
        : null,
      key
        ? button({ text: t(key) }, async () => {
            if (await asked(key, [t(what === "job" ? "open_give_up_lead" : "open_no_lead")]))
              act(operation, parts, () => api.settle(operation.id, { nothing: true }), "closed");
          })
        : null,
      button({ text: t(what === "drawn" ? "open_bring_in" : "open_again"), icon: "retry" }, () =>
        act(operation, parts, () => api.recover(operation.id)),
      ),
    ].filter(Boolean),
  );
}

const asked = (key, lines, body = []) =>
  dialog.confirm({
    title: t(`${key}_title`),
    body: [...body, ...lines.map((text) => h("p", { text }))],
    yes: t(key),
  });

/** Do something about an operation, tell what came of it, and read everything anew. */
async function act(operation, parts, work, end = "stored") {
  const { row, note, error } = parts;
  const card = row.closest(".ci-open-card");
  if (card.getAttribute("aria-busy")) return;
  card.setAttribute("aria-busy", "true");
  showError(error, null);
  note.textContent = t("open_working");
  try {
    const said = await work();
    note.textContent = "";
    for (const image of said.images) store.upsert(image);
    const isOpen = !["done", "failed"].includes(said.operation.state);
    if (!isOpen) toast(outcome(said, end));
    else if (kindOf(said.operation) === kindOf(operation)) {
      // The same card goes on: what the reader looks at stays where it is.
      cards.get(operation.id).stamp = stampOf(said.operation);
      if (hasCandidates(operation)) await look(operation, parts);
      else note.textContent = said.message;
    }
    tell();
    await Promise.all([store.refetch(), discover()]);
  } catch (failure) {
    note.textContent = "";
    showError(error, failure);
  } finally {
    card.removeAttribute("aria-busy");
  }
}

function outcome({ images, operation, message }, end) {
  if (end === "closed") return { text: t("open_closed"), detail: message, seconds: 10 };
  const failed = images.find(({ status }) => status === "failed");
  if (failed)
    return { text: t("open_not_stored"), detail: failed.error ?? "", kind: "warn", seconds: 0 };
  if (images.length) return { text: t("open_stored", { count: images.length }), kind: "ok" };
  return { text: t("open_closed"), detail: operation.error ?? message, seconds: 10 };
}
