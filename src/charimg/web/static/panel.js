// What the three panels share: progress, errors, folding.

import { opened } from "./actions.js";
import { fmt, t } from "./config.js";
import { announce, button, h, icon } from "./dom.js";
import { latest } from "./operations.js";

const spoken = new WeakMap();

/** Show how far a job is in a panel's place for it; without a job the place is empty. */
export function progressOf(place, job, extra = null) {
  if (!job) {
    place.replaceChildren();
    place.hidden = true;
    spoken.delete(place);
    return;
  }
  const isSet = job.kind === "portfolio";
  let parts = place.parts;
  if (!place.firstChild) {
    parts = {
      words: h("span", { class: "ci-progress-words" }),
      time: h("span", { class: "ci-progress-time", "aria-hidden": "true" }),
      bar: h("progress", { max: 1, "aria-label": t(`running_${job.kind}`) }),
      task: h("p", { class: "ci-progress-task" }),
    };
    place.parts = parts;
    place.hidden = false;
    place.replaceChildren(
      h("div", { class: "ci-progress-head" }, parts.words, parts.time),
      parts.bar,
      parts.task,
    );
    tick(place, job);
  }
  const { current, total } = job;
  parts.words.textContent = !job.isSent
    ? t("sending")
    : isSet
      ? t(job.storing ? "progress_storing" : "progress_drawing", { current, total })
      : t(job.storing ? "progress_one_storing" : `running_${job.kind}`);
  const task = (isSet && !job.storing && job.task) || extra;
  parts.task.textContent = [task, job.own ? null : t("running_elsewhere")]
    .filter(Boolean)
    .join(" · ");
  if (isSet && job.isSent) {
    parts.bar.max = total;
    parts.bar.value = current;
  } else parts.bar.removeAttribute("value");
  // Each shot would be too much to listen to.
  const step = isSet ? `${job.storing}${Math.floor((current * 4) / total)}` : `${job.storing}`;
  if (spoken.get(place) !== step) {
    spoken.set(place, step);
    announce(parts.words.textContent);
  }
}

function tick(place, job) {
  const { parts } = place;
  const show = () => {
    if (place.hidden || !place.isConnected || place.parts !== parts) return;
    const seconds = Math.max(0, Math.floor((Date.now() - job.since) / 1000));
    parts.time.textContent =
      seconds < 60
        ? `${fmt.number(seconds)} s`
        : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    setTimeout(show, 1000);
  };
  show();
}

/**
 * Show in a panel why its generation failed. "Try again" draws only where nothing is known to be
 * drawn; what it does instead is loaded when it is wanted.
 */
export function showFailure(place, error, draw) {
  showError(place, error, () =>
    opened("./again.js", ({ tryAgain }) => tryAgain(place, error, draw)),
  );
}

/** Whether something may have been drawn that is not known to be here. */
export const mayExist = ({ outcomeUnknown, operationId }) =>
  outcomeUnknown || latest.open.some(({ id }) => id === operationId);

/** Show in a place why something failed. Nothing is tried again but by the user's own hand. */
export function showError(place, error, again = null) {
  place.replaceChildren();
  place.hidden = !error;
  if (!error) return;
  const hints = [];
  if (error.code === "IN_PROGRESS") hints.push(t("hint_in_progress"));
  else if (error.imageId) hints.push(t("hint_not_fetched"));
  else if (error.recoverable) hints.push(t("hint_recoverable"));
  else if (mayExist(error)) hints.push(t("hint_unknown"));
  else if (error.fromLibrary && error.status >= 500) hints.push(t("hint_library"));
  place.append(
    icon("error"),
    h(
      "div",
      null,
      h("p", { class: "ci-error-text", text: error.message }),
      hints.map((text) => h("p", { class: "ci-error-hint", text })),
      h("p", { class: "ci-error-code", text: t("error_code", { code: error.code }) }),
      h(
        "div",
        { class: "ci-row" },
        again && error.status !== 409 && error.status !== 400
          ? button({ text: t("try_again"), kind: "small" }, again)
          : null,
        button({ text: t("dismiss"), kind: "small quiet" }, () => showError(place, null)),
      ),
    ),
  );
}

/** Make a panel's heading fold it away. On a narrow page, what is not needed first starts folded. */
export function folding(section, startsOpen) {
  const toggle = section.querySelector(".ci-fold");
  const body = section.querySelector(".ci-panel-body");
  const set = (open) => {
    toggle.setAttribute("aria-expanded", String(open));
    body.hidden = !open;
  };
  toggle.addEventListener("click", () => set(body.hidden));
  set(startsOpen);
  return set;
}
