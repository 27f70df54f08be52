// The images page of a character: puts the parts together.

import { opened } from "./actions.js";
import { t } from "./config.js";
import { undo } from "./deletes.js";
import { $, copy, h, icon } from "./dom.js";
import { mountGrid } from "./grid.js";
import { jobs, keepLooking, latest, running, subscribe } from "./operations.js";
import { folding } from "./panel.js";
import { mountPortfolio } from "./portfolio.js";
import { mountReference } from "./reference.js";
import { mountScene } from "./scene.js";
import { bind, listen, openSheet } from "./shortcuts.js";
import { store } from "./state.js";
import { toast } from "./toast.js";
import { mountToolbar } from "./toolbar.js";

function header() {
  for (const chip of document.querySelectorAll(".ci-id[data-copy]")) {
    chip.addEventListener("click", async () => {
      const done = await copy(chip.dataset.copy);
      toast({
        text: t(done ? "id_copied" : "copy_failed"),
        kind: done ? "ok" : "error",
        seconds: 4,
      });
    });
  }
  $("ci-keys").addEventListener("click", () => openSheet());
  const activity = $("ci-activity");
  subscribe(() => {
    const job = running();
    activity.hidden = !job;
    if (!job) return;
    const isSet = job.kind === "portfolio";
    activity.replaceChildren(
      icon("spinner"),
      h("span", {
        text:
          isSet && job.isSent
            ? t("activity_portfolio", { current: job.current, total: job.total })
            : t(`running_${job.kind}`),
      }),
    );
  });
  activity.addEventListener("click", () => {
    const job = running();
    if (!job) return;
    folds[job.kind](true);
    $(`ci-${job.kind}`).scrollIntoView({ block: "start" });
    $(`ci-${job.kind}`).querySelector(".ci-fold").focus({ preventScroll: true });
  });
}

/** The tab tells how far the work is, and that it is done while the reader was elsewhere. */
function tabTitle() {
  const { title } = document;
  let done = false;
  const show = () => {
    const job = running();
    if (job) done = document.hidden;
    const sign = job
      ? job.kind === "portfolio"
        ? `${job.current}/${job.total}`
        : "…"
      : done
        ? "✓"
        : "";
    const wanted = sign ? `${sign} ${title}` : title;
    if (document.title !== wanted) document.title = wanted;
  };
  subscribe(show);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) done = false;
    show();
  });
}

const folds = {};

function panels() {
  const narrow = matchMedia("(max-width: 899px)").matches;
  for (const kind of ["reference", "portfolio", "scene"]) {
    folds[kind] = folding($(`ci-${kind}`), !narrow || kind === "reference");
  }
  subscribe(() => {
    for (const { kind, shown } of jobs.values()) if (!shown) folds[kind](true);
    for (const job of jobs.values()) job.shown = true;
  });
}

/** Show what is open of earlier generations; most characters have nothing of that. */
function openEnds() {
  let loading = null;
  subscribe(() => {
    if (!loading && !latest.open.length) return;
    loading ??= opened("./open.js", (module) => module);
    loading.then(({ showOpen }) => showOpen?.());
  });
}

function notices() {
  let told = "";
  store.subscribe(() => {
    const unlinked = store.character !== null && !store.character.libraryDbId;
    $("ci-unlinked").hidden = !unlinked;
    const trouble = store.error && store.phase === "ready" ? store.error.message : "";
    if (trouble && trouble !== told) {
      toast({
        text: t("refetch_failed"),
        detail: trouble,
        kind: "error",
        seconds: 0,
        action: { text: t("try_again"), run: () => store.refetch() },
      });
    }
    told = trouble;
  });
}

listen();
bind("Mod+z", "undo_delete", () => undo());
bind("Mod+Enter", "key_send", ({ target }) => target.closest("form").requestSubmit(), "form");
header();
tabTitle();
panels();
notices();
openEnds();
mountToolbar();
mountGrid();
mountReference((open) => folds.reference(open));
mountPortfolio();
mountScene((open) => folds.scene(open));
$("charimg").dataset.state = "ready";
store.refetch();
keepLooking();
