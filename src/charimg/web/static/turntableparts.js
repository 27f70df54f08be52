// The choices, marks and notes beside the turntable.

import { t } from "./config.js";
import { h } from "./dom.js";
import { azimuthText, cameraText, degrees, elevationText, lensText, poseText } from "./describe.js";
import { FAILED, MISSING, PARTIAL, SHOWN } from "./spin.js";

/** A state of a shot in one word. */
export const stateText = (state) => t(`turntable_state_${state}`);

/** A shot in one line, for the ear. */
export function viewText(view) {
  if (!view) return t("turntable_empty");
  const said = cameraText(view.camera);
  return view.state === SHOWN ? said : `${said} · ${stateText(view.state)}`;
}

/** Radio buttons in a fieldset that is drawn anew; the focus stays on the chosen one. */
function drawChoice(fieldset, { legend, name, options, chosen, onPick }) {
  const focused = fieldset.contains(document.activeElement);
  const radios = options.map((option, index) =>
    h("input", { type: "radio", name, checked: index === chosen, onchange: () => onPick(index) }),
  );
  fieldset.replaceChildren(
    h("legend", { text: legend }),
    ...options.map(({ text, detail }, index) =>
      h(
        "label",
        null,
        radios[index],
        h("span", null, text, detail && h("small", { text: detail })),
      ),
    ),
  );
  if (focused) radios[chosen]?.focus();
}

export function drawLenses(fieldset, { spin, lensIndex }, onPick) {
  drawChoice(fieldset, {
    legend: t("turntable_lenses"),
    name: "tt-lens",
    options: spin.lenses.map(({ lensMm, shown }) => ({
      text: lensText(lensMm),
      detail: t("turntable_lens_count", { count: shown }),
    })),
    chosen: lensIndex,
    onPick,
  });
  fieldset.hidden = spin.lenses.length === 0;
}

/** The shots of one place, told by what differs: height, framing, expression. */
export function drawViews(fieldset, { stop, viewIndex }, onPick) {
  const views = stop?.views ?? [];
  drawChoice(fieldset, {
    legend: t("turntable_views", { count: views.length }),
    name: "tt-view",
    options: views.map(({ camera, state }) => ({
      text: [elevationText(camera.elevation), poseText(camera)].filter(Boolean).join(" · "),
      detail: state !== SHOWN && stateText(state),
    })),
    chosen: viewIndex,
    onPick,
  });
  fieldset.hidden = views.length === 0;
}

/** A mark for each place below the slider, at its true azimuth. */
export function ticks(stops) {
  return stops.map(({ azimuth, state }) => {
    const tick = h("span", { class: `tt-tick tt-${state}` });
    tick.style.setProperty("--at", String((azimuth + 180) / 360));
    return tick;
  });
}

export function legend() {
  const entry = (state) =>
    h(
      "li",
      null,
      h("span", { class: `tt-tick tt-${state}`, "aria-hidden": "true" }),
      h("span", { text: stateText(state) }),
    );
  return h("ul", { class: "tt-legend" }, [SHOWN, PARTIAL, FAILED, MISSING].map(entry));
}

/** What is not there, in words. */
export function notes({ lens, spin }) {
  const told = [];
  if (lens?.failed) told.push(t("turntable_failed_count", { count: lens.failed }));
  if (lens?.missing) told.push(t("turntable_missing_count", { count: lens.missing }));
  for (const { from, to, span } of lens?.gaps ?? []) {
    told.push(
      t("turntable_gap", { from: azimuthText(from), to: azimuthText(to), span: degrees(span) }),
    );
  }
  const { length } = spin.unplaced;
  if (length) told.push(t("turntable_unplaced", { count: length }));
  return told.map((text) => h("li", { text }));
}
