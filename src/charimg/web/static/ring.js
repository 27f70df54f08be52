// Two drawings of where the camera stands: around the character from above, and how high.

import { t } from "./config.js";
import { azimuthText, degrees, elevationText } from "./describe.js";
import { svg } from "./icons.js";
import { FAILED, MISSING, PARTIAL, turn } from "./spin.js";

const RADIUS = 84;
const HEIGHT_RADIUS = 100;
/** The height of a line of text in the drawing. */
const LABEL_PX = 14;
const SENSOR_MM = 36;
const DEFAULT_FOV = 40;
const rad = (angle) => (angle * Math.PI) / 180;

/**
 * Where an azimuth is on the ring: the front above, so that the character's right is on the right,
 * as it is on the slider.
 */
const onRing = (azimuth, radius = RADIUS) => [
  Math.sin(rad(azimuth)) * radius,
  -Math.cos(rad(azimuth)) * radius,
];

const at = (...numbers) => numbers.map((value) => value.toFixed(2)).join(" ");

function arc(from, span, radius) {
  if (span >= 360) {
    const [top, below] = [at(0, -radius), at(0, radius)];
    return `M${top}A${radius} ${radius} 0 0 1 ${below}A${radius} ${radius} 0 0 1 ${top}`;
  }
  const large = span > 180 ? 1 : 0;
  return `M${at(...onRing(from, radius))}A${radius} ${radius} 0 ${large} 1 ${at(...onRing(from + span, radius))}`;
}

/** What a lens sees, in degrees across. */
function fieldOfView(lensMm) {
  return lensMm ? (2 * Math.atan(SENSOR_MM / 2 / lensMm) * 180) / Math.PI : DEFAULT_FOV;
}

/** A mark whose form, not its colour alone, tells the state. */
function mark(state, x, y) {
  const group = svg("g", { class: `rg-mark rg-${state}`, transform: `translate(${at(x, y)})` });
  if (state === FAILED) {
    group.append(svg("path", { d: "M-5 -5L5 5M5 -5L-5 5" }));
  } else {
    group.append(svg("circle", { r: state === MISSING ? 4.5 : 5.5 }));
    if (state === PARTIAL)
      group.append(svg("path", { class: "rg-half", d: "M0 -5.5A5.5 5.5 0 0 1 0 5.5Z" }));
  }
  return group;
}

/**
 * Draw a lens's stops around the character. `onPick(index)` is called for a mark that is clicked;
 * the slider does the same for those who use no mouse.
 */
export function ring(lens, current, onPick) {
  const drawing = svg(
    "svg",
    {
      class: "rg",
      viewBox: "-150 -122 300 244",
      role: "img",
      "aria-label": ringText(lens, current),
    },
    ...tracks(lens),
    figure(),
    ...names(),
    camera(lens, lens.stops[current]),
  );
  lens.stops.forEach((stop, index) => {
    const [x, y] = onRing(stop.azimuth);
    const group = mark(stop.state, x, y);
    if (index === current) group.classList.add("rg-current");
    group.append(svg("circle", { class: "rg-hit", r: 12 }));
    group.addEventListener("click", () => onPick(index));
    drawing.append(group);
  });
  return drawing;
}

function tracks({ stops, gaps }) {
  if (stops.length === 0) return [];
  if (gaps.length === 0) {
    const whole = stops.some(({ state }) => state !== FAILED && state !== MISSING);
    return [svg("path", { class: whole ? "rg-track" : "rg-gap", d: arc(0, 360, RADIUS) })];
  }
  const kept = gaps.map((gap, index) => {
    const next = gaps[(index + 1) % gaps.length];
    return { from: gap.to, span: turn(gap.to, next.from) % 360 };
  });
  return [
    ...gaps.map(({ from, span }) => svg("path", { class: "rg-gap", d: arc(from, span, RADIUS) })),
    ...kept
      .filter(({ span }) => span > 0)
      .map(({ from, span }) => svg("path", { class: "rg-track", d: arc(from, span, RADIUS) })),
  ];
}

/** The character from above: shoulders, head, and a nose that points to the front. */
function figure() {
  return svg(
    "g",
    { class: "rg-figure" },
    svg("ellipse", { rx: 25, ry: 10 }),
    svg("circle", { r: 11 }),
    svg("path", { d: "M-4 -9L0 -17L4 -9Z" }),
  );
}

function names() {
  const label = (x, y, text, anchor) =>
    svg("text", { x, y, "text-anchor": anchor, class: "rg-name" }, text);
  return [
    label(0, -104, t("turntable_front_short"), "middle"),
    label(0, 116, t("turntable_back_short"), "middle"),
    label(-102, 4, t("turntable_left_short"), "end"),
    label(102, 4, t("turntable_right_short"), "start"),
  ];
}

function camera(lens, stop) {
  const group = svg("g", { class: "rg-camera" });
  if (!stop) return group;
  const half = fieldOfView(lens.lensMm) / 2;
  const [x, y] = onRing(stop.azimuth);
  const reach = RADIUS * 1.25;
  const ray = (side) => {
    const angle = rad(stop.azimuth + 180 + side * half);
    return at(x + Math.sin(angle) * reach, y - Math.cos(angle) * reach);
  };
  group.append(svg("path", { class: "rg-cone", d: `M${at(x, y)}L${ray(-1)}L${ray(1)}Z` }));
  return group;
}

function ringText(lens, current) {
  const stop = lens.stops[current];
  const parts = [t("turntable_ring", { count: lens.stops.length })];
  if (stop) parts.push(t("turntable_camera_at", { where: azimuthText(stop.azimuth) }));
  return parts.join(" ");
}

/** Draw from the side how high the cameras of a lens stand; `elevation` is the current one. */
export function heights(lens, elevation) {
  const marks = lens.elevations.map((each) => {
    const angle = rad(each.elevation);
    return {
      ...each,
      x: -Math.cos(angle) * HEIGHT_RADIUS,
      y: -Math.sin(angle) * HEIGHT_RADIUS,
      isCurrent: each.elevation === elevation,
    };
  });
  const labels = spread(
    marks.map(({ y }) => y),
    LABEL_PX,
  );
  const half = Math.max(...[...marks.map(({ y }) => y), ...labels].map(Math.abs), 40) + 14;
  const drawing = svg(
    "svg",
    {
      class: "rg rg-heights",
      viewBox: `-150 ${-half} 172 ${2 * half}`,
      role: "img",
      "aria-label": heightsText(lens, elevation),
    },
    svg("path", { class: "rg-level", d: `M${-HEIGHT_RADIUS} 0H-16` }),
    bust(),
  );
  for (const [index, { x, y, state, isCurrent, elevation: height }] of marks.entries()) {
    const group = mark(state, x, y);
    if (isCurrent) {
      drawing.append(svg("path", { class: "rg-sight", d: `M${at(x, y)}L-16 0` }));
      group.classList.add("rg-current");
    }
    drawing.append(
      group,
      svg(
        "text",
        { x: -HEIGHT_RADIUS - 12, y: labels[index] + 4, "text-anchor": "end", class: "rg-degrees" },
        signed(height),
      ),
    );
  }
  return drawing;
}

/** Move what would overlap apart, from above to below, as little as that takes. */
function spread(places, least) {
  const moved = [...places];
  for (let round = 0; round < 20; round += 1) {
    for (let index = 1; index < moved.length; index += 1) {
      const lacking = least - (moved[index] - moved[index - 1]);
      if (lacking <= 0) continue;
      moved[index - 1] -= lacking / 2;
      moved[index] += lacking / 2;
    }
  }
  return moved;
}

function bust() {
  return svg(
    "g",
    { class: "rg-figure" },
    svg("circle", { r: 11 }),
    svg("path", { d: "M-10 -4L-16 1L-10 4Z" }),
    svg("path", { d: "M-11 30Q-11 14 0 14Q12 14 12 30Z" }),
  );
}

function heightsText(lens, elevation) {
  const all = lens.elevations.map((each) => elevationText(each.elevation)).join(", ");
  return t("turntable_heights", { all, where: elevationText(elevation) });
}

const signed = (value) => (value > 0 ? `+${degrees(value)}` : degrees(value));
