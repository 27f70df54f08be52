// The order of a portfolio around its character: pure, without DOM and texts.
//
// Images are sorted into sets (one portfolio run each), a set into lenses, a lens into stops (one
// per true camera azimuth, -180 exclusive to 180) and a stop into views (elevation, expression).
// What failed or never came keeps its place, and wide arcs without a picture are told.

import { CORE_SHOTS } from "./shots.js";

export const SHOWN = "shown";
export const FAILED = "failed";
export const MISSING = "missing";
export const PARTIAL = "partial";

/** A wider arc between two pictures is a gap, in degrees. */
export const GAP_DEG = 45;

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Bring an angle into (-180, 180]; null when it is no finite number. */
export function azimuth(degrees) {
  if (!isNumber(degrees)) return null;
  const turned = ((degrees % 360) + 360) % 360;
  const within = turned > 180 ? turned - 360 : turned;
  return Math.round(within * 10) / 10 + 0;
}

/** The angle from one azimuth to another going right around, 0 exclusive to 360. */
export function turn(from, to) {
  const angle = (((to - from) % 360) + 360) % 360;
  return angle === 0 ? 360 : angle;
}

/** The smaller angle between two azimuths, 0 to 180. */
export function apart(a, b) {
  const angle = turn(a, b);
  return Math.min(angle % 360, 360 - angle);
}

/**
 * The camera of an image: what its record says, completed from the known shots of that name.
 * Returns null when nothing tells where it stood.
 */
export function cameraOf(image, known = CORE_SHOTS) {
  const shot = image.metrics?.shot;
  if (!shot) return null;
  const listed = knownShot(shot, known);
  const camera = { ...listed };
  for (const [name, value] of Object.entries(shot)) {
    if (value !== null && value !== undefined) camera[name] = value;
  }
  camera.azimuth = azimuth(camera.cameraAzimuthDeg);
  camera.elevation = isNumber(camera.cameraElevationDeg) ? camera.cameraElevationDeg : 0;
  camera.lensMm = isNumber(camera.lensMm) ? camera.lensMm : null;
  return camera.azimuth === null ? null : camera;
}

function knownShot(shot, known) {
  return known.find((each) => (shot.slug ? each.slug === shot.slug : each.name === shot.name));
}

/** Which portfolio run drew an image: its key without the trailing number. */
export function runOf(image) {
  const cut = image.key.lastIndexOf("-");
  return cut > 0 ? image.key.slice(0, cut) : image.key;
}

/** Portfolio images by the run that drew them, the newest run first. */
export function setsOf(images) {
  const sets = new Map();
  for (const image of images) {
    if (image.kind !== "portfolioItem") continue;
    const id = runOf(image);
    if (!sets.has(id)) sets.set(id, { id, images: [], createdAt: image.createdAt });
    const set = sets.get(id);
    set.images.push(image);
    if (image.createdAt > set.createdAt) set.createdAt = image.createdAt;
  }
  return [...sets.values()].sort(
    (a, b) => compare(b.createdAt, a.createdAt) || compare(b.id, a.id),
  );
}

/**
 * Order the images of one set.
 *
 * Returns {lenses: [{lensMm, stops, gaps, elevations, shown, failed, missing}], unplaced: images whose
 * camera nobody knows}. A stop is {azimuth, state, views}, a view {state, camera, image | null}.
 */
export function spinOf(images, known = CORE_SHOTS) {
  const { placed, unplaced } = place(images, known);
  const views = [...placed, ...missingFrom(placed, images, known)];
  const lenses = [...groupBy(views, (view) => view.camera.lensMm)].map(([lensMm, found]) =>
    lensOf(lensMm, found),
  );
  lenses.sort((a, b) => compare(a.lensMm ?? Infinity, b.lensMm ?? Infinity));
  return { lenses, unplaced };
}

function place(images, known) {
  const byShot = new Map();
  const unplaced = [];
  for (const image of images) {
    const camera = cameraOf(image, known);
    if (camera === null) {
      unplaced.push(image);
      continue;
    }
    const view = { state: isShown(image) ? SHOWN : FAILED, camera, image };
    const name = camera.slug ?? camera.name;
    const other = byShot.get(name);
    if (other === undefined || supersedes(view, other)) byShot.set(name, view);
  }
  return { placed: [...byShot.values()], unplaced };
}

const isShown = (image) => image.status === "succeeded" && Boolean(image.media?.url);

function supersedes(view, other) {
  if (view.state !== other.state) return view.state === SHOWN;
  return view.image.createdAt > other.image.createdAt;
}

function missingFrom(placed, images, known) {
  const names = new Set(placed.flatMap((view) => [view.camera.slug, view.camera.name]));
  const here = known.filter((shot) => names.has(shot.slug) || names.has(shot.name));
  // Of a set that this table does not know, nobody can tell what is missing.
  if (here.length === 0 || here.length * 2 < images.length) return [];
  return known
    .filter((shot) => !here.includes(shot))
    .map((shot) => ({
      state: MISSING,
      image: null,
      camera: {
        ...shot,
        azimuth: azimuth(shot.cameraAzimuthDeg),
        elevation: shot.cameraElevationDeg,
      },
    }));
}

function lensOf(lensMm, views) {
  const stops = [...groupBy(views, (view) => view.camera.azimuth)]
    .map(([at, found]) => stopOf(at, found))
    .sort((a, b) => a.azimuth - b.azimuth);
  const count = (state) => views.filter((view) => view.state === state).length;
  return {
    lensMm,
    stops,
    gaps: gapsOf(stops),
    elevations: elevationsOf(views),
    shown: count(SHOWN),
    failed: count(FAILED),
    missing: count(MISSING),
  };
}

function stopOf(at, views) {
  views.sort(
    (a, b) =>
      b.camera.elevation - a.camera.elevation ||
      plainness(a.camera) - plainness(b.camera) ||
      compare(a.camera.name ?? "", b.camera.name ?? ""),
  );
  return { azimuth: at, state: stateOf(views), views };
}

const plainness = (camera) => (camera.expression === "neutral" || !camera.expression ? 0 : 1);

/** The state of several views: all the same, or partly shown, or failed. */
export function stateOf(views) {
  const states = new Set(views.map((view) => view.state));
  if (states.size === 1) return views[0].state;
  return states.has(SHOWN) ? PARTIAL : FAILED;
}

function gapsOf(stops) {
  const seen = stops
    .filter((stop) => stop.views.some((view) => view.state === SHOWN))
    .map((stop) => stop.azimuth);
  const gaps = [];
  seen.forEach((from, index) => {
    const to = seen[(index + 1) % seen.length];
    const span = Math.round(turn(from, to) * 10) / 10;
    if (span > GAP_DEG) gaps.push({ from, to, span });
  });
  return gaps;
}

function elevationsOf(views) {
  return [...groupBy(views, (view) => view.camera.elevation)]
    .map(([elevation, found]) => ({ elevation, state: stateOf(found), count: found.length }))
    .sort((a, b) => b.elevation - a.elevation);
}

/** The index of the stop nearest to an azimuth; -1 when there is none. */
export function nearest(stops, degrees) {
  let best = -1;
  stops.forEach((stop, index) => {
    if (best < 0 || apart(stop.azimuth, degrees) < apart(stops[best].azimuth, degrees)) {
      best = index;
    }
  });
  return best;
}

/** The index after going some stops around the ring, to the right when positive. */
export function around(stops, index, by) {
  return (((index + by) % stops.length) + stops.length) % stops.length;
}

/** The index of the view of a stop that resembles most what was looked at before. */
export function likest(stop, wanted) {
  const rank = ({ state, camera }) => [
    state === SHOWN ? 0 : 1,
    Math.abs(camera.elevation - wanted.elevation),
    camera.expression === wanted.expression ? 0 : 1,
    camera.crop === wanted.crop ? 0 : camera.crop === "hands" ? 2 : 1,
  ];
  let best = 0;
  stop.views.forEach((view, index) => {
    const mine = rank(view);
    const other = rank(stop.views[best]);
    const place = mine.findIndex((value, at) => value !== other[at]);
    if (place >= 0 && mine[place] < other[place]) best = index;
  });
  return best;
}

function groupBy(values, keyOf) {
  const groups = new Map();
  for (const value of values) {
    const key = keyOf(value);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(value);
  }
  return groups;
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
