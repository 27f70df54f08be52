// The portfolio panel: which reference, the job's progress, and every shot's slot.

import { actions, can, isCurrent } from "./actions.js";
import { fmt, t } from "./config.js";
import { $, button, dialog, h, icon, isOff, roving, setOff } from "./dom.js";
import { jobs, latest, run, running, subscribe } from "./operations.js";
import { progressOf, showError, showFailure } from "./panel.js";
import { isUnlinked } from "./reference.js";
import { store } from "./state.js";
import { toast } from "./toast.js";

const SHOTS = 27;

let picked = null;
let sending = false;
let drawnRadios = "";
let drawnSlots = "";
/** Slots stand in rows of nine. */
const settleSlots = roving($("ci-slots"), 9);

const usable = () =>
  store.references.filter(({ id, status }) => status === "succeeded" && !store.hidden.has(id));

function showRadios() {
  const references = usable();
  if (!references.some(({ id }) => id === picked)) picked = store.current?.id ?? null;
  const signature = references
    .map((image) => `${image.id}${isCurrent(image)}${image.media?.thumbnailURL}`)
    .join();
  const box = $("ci-references");
  if (signature === drawnRadios && box.dataset.phase === store.phase) return;
  drawnRadios = signature;
  box.dataset.phase = store.phase;
  $("ci-references-none").hidden = references.length > 0 || store.phase === "loading";
  const focused = box.contains(document.activeElement);
  box.replaceChildren(
    ...references.map((image) =>
      h(
        "label",
        { class: "ci-radio-card" },
        h("input", {
          type: "radio",
          name: "ci-reference",
          value: image.id,
          checked: image.id === picked,
          onchange: () => {
            picked = image.id;
            check();
          },
        }),
        h("img", {
          src: image.media.thumbnailURL ?? image.media.url,
          alt: "",
          width: 48,
          height: 60,
          loading: "lazy",
          decoding: "async",
        }),
        h(
          "span",
          { class: "ci-radio-text" },
          h("span", { text: fmt.date(image.createdAt) }),
          isCurrent(image)
            ? h("span", { class: "ci-badge" }, icon("star"), t("current"))
            : h("span", { class: "ci-muted", text: t("earlier") }),
        ),
      ),
    ),
  );
  if (focused) box.querySelector("input:checked")?.focus();
}

/** The slots: from the job that runs, else from the latest set and what became of its shots. */
function slots() {
  const job = [...jobs.values()].find(({ kind }) => kind === "portfolio");
  if (job) {
    const landed = [...job.landed.values()];
    return Array.from({ length: job.total || SHOTS }, (_, index) => {
      const image = landed[index];
      if (image) return { image, name: image.metrics?.shot?.name };
      const drawn = !job.storing && index < job.current;
      return { state: drawn ? "drawn" : index === job.current && !job.storing ? "now" : "waiting" };
    });
  }
  const byKey = new Map(store.shots.map((image) => [image.key, image]));
  const byId = new Map(store.shots.map((image) => [image.id, image]));
  const items = latest.portfolio?.items ?? [];
  const known = items.map((item) => {
    const image = byId.get(item.imageId) ?? byKey.get(item.key) ?? null;
    return {
      image: image && !store.hidden.has(image.id) ? image : null,
      name: item.shot?.name,
      state: "gone",
    };
  });
  if (known.some(({ image }) => image)) return known;
  // A set of another process, or an older journal: what there is, as one set.
  const shots = store.shots
    .filter(({ id }) => !store.hidden.has(id))
    .slice(0, SHOTS)
    .reverse();
  if (shots.length) return shots.map((image) => ({ image, name: image.metrics?.shot?.name }));
  return Array.from({ length: SHOTS }, () => ({ state: "waiting" }));
}

function slot({ image, name, state }, index) {
  const label = name ?? t("shot_number", { number: index + 1 });
  if (!image) {
    return h(
      "li",
      { class: `ci-slot ${state}` },
      h("span", { class: "ci-hidden", text: `${label}: ${t(`slot_${state}`)}` }),
    );
  }
  if (image.status === "failed" && !can.retry(image)) {
    const reason = `${label}: ${image.error ?? t("status_failed")}`;
    return h(
      "li",
      { class: "ci-slot failed", title: reason },
      icon("error"),
      h("span", { class: "ci-hidden", text: reason }),
    );
  }
  if (image.status === "failed") {
    const busy = store.busy.has(image.id);
    const off = busy || running() !== null;
    return h(
      "li",
      { class: "ci-slot failed" },
      h(
        "button",
        {
          type: "button",
          "aria-label": t("retry_shot", { name: label }),
          title: `${label}: ${image.error ?? t("status_failed")}`,
          "aria-disabled": off ? "true" : null,
          dataset: { retry: image.id },
          onclick: () => off || actions.retry(image),
        },
        icon(busy ? "spinner" : "retry"),
      ),
    );
  }
  return h(
    "li",
    { class: "ci-slot stored" },
    h(
      "button",
      {
        type: "button",
        "aria-label": t("view_of", { name: label }),
        title: label,
        onclick: () => actions.view(image),
      },
      h("img", {
        src: image.media.thumbnailURL ?? image.media.url,
        alt: "",
        loading: "lazy",
        decoding: "async",
      }),
    ),
  );
}

function showSlots() {
  const all = slots();
  const signature = all
    .map(({ image, state }) =>
      image ? `${image.id}${image.status}${store.busy.has(image.id)}` : state,
    )
    .concat(running() !== null)
    .join();
  if (signature === drawnSlots) return;
  drawnSlots = signature;
  const failures = all.map(({ image }) => image).filter((image) => image && can.retry(image));
  const stored = all.filter(({ image }) => image?.status === "succeeded").length;
  const box = $("ci-slots");
  const focused = box.contains(document.activeElement)
    ? [...box.children].findIndex((li) => li.contains(document.activeElement))
    : -1;
  box.replaceChildren(...all.map(slot));
  if (focused >= 0) box.children[focused]?.querySelector("button")?.focus();
  settleSlots();
  const foot = $("ci-slots-foot");
  foot.replaceChildren();
  foot.append(
    h("p", {
      class: "ci-muted",
      text: t(stored || failures.length ? "slots_stored" : "slots_none", {
        current: stored,
        total: all.length,
      }),
    }),
  );
  if (failures.length && !running()) {
    foot.append(
      button(
        { text: t("retry_all", { count: failures.length }), icon: "retry", kind: "small" },
        async () => {
          let stored = 0;
          for (const image of failures)
            if (await actions.retry(image, { quiet: true })) stored += 1;
          if (stored) toast({ text: t("retried_all", { count: stored }), kind: "ok" });
        },
      ),
    );
  }
  if (stored > 1) {
    foot.append(
      button({ text: t("turntable"), icon: "turntable", kind: "small" }, () =>
        document.dispatchEvent(new Event("charimg:turntable")),
      ),
    );
  }
}

function check() {
  setOff($("ci-start"), sending || running() !== null || picked === null || isUnlinked());
}

async function start(event) {
  event?.preventDefault();
  if (isOff($("ci-start"))) return;
  sending = true;
  check();
  try {
    if (!(await isWanted())) return;
    showError($("ci-portfolio-error"), null);
    const said = await run("portfolio", { referenceId: picked });
    for (const { message } of said.warnings ?? [])
      toast({ text: message, kind: "warn", seconds: 0 });
    const failures = said.failures?.length ?? 0;
    if (failures)
      toast({ text: t("portfolio_failures", { count: failures }), kind: "warn", seconds: 12 });
    else toast({ text: t("done_portfolio"), kind: "ok" });
  } catch (error) {
    showFailure($("ci-portfolio-error"), error, () => start());
  } finally {
    sending = false;
    check();
  }
}

/** A set that is here already is paid for once more only when that is meant. */
async function isWanted() {
  const here = slots().filter(({ image }) => image?.status === "succeeded").length;
  if (!here) return true;
  return dialog.confirm({
    title: t("another_set_title"),
    body: h("p", { text: t("another_set", { count: here }) }),
    yes: t("another_set_yes"),
  });
}

function show() {
  showRadios();
  showSlots();
  check();
}

/** Wire the panel that the shell holds. */
export function mountPortfolio() {
  $("ci-portfolio-form").addEventListener("submit", start);
  store.subscribe(show);
  subscribe(() => {
    progressOf(
      $("ci-portfolio-progress"),
      [...jobs.values()].find(({ kind }) => kind === "portfolio"),
    );
    show();
  });
  show();
}
