// What stands on a contact sheet: every image once, in groups, each with its caption.

import { fmt, kindText, t } from "./config.js";
import { azimuthText, elevationText, lensText, nameOf } from "./describe.js";
import { cameraOf, setsOf } from "./spin.js";

const KINDS = ["reference", "portfolioItem", "scene"];

/** Group images: references, portfolios by lens and azimuth, scenes, and whatever else there is. */
export function groupsOf(images) {
  const others = [...new Set(images.map(({ kind }) => kind))].filter(
    (kind) => !KINDS.includes(kind),
  );
  const plain = (kind) => {
    const entries = images
      .filter((image) => image.kind === kind)
      .sort(newestFirst)
      .map((image) => entryOf(image));
    return { title: kindText(kind), entries };
  };
  return [
    references(images),
    ...portfolios(images),
    plain("scene"),
    ...others.sort().map(plain),
  ].filter(({ entries }) => entries.length > 0);
}

function references(images) {
  const since = ({ status, metrics }) => (status === "succeeded" && metrics?.masterSince) || "";
  const found = images
    .filter(({ kind }) => kind === "reference")
    .sort((a, b) => compare(since(b), since(a)) || newestFirst(a, b));
  const entries = found.map((image, index) =>
    entryOf(image, { isCurrent: index === 0 && since(image) !== "" }),
  );
  return { title: kindText("reference"), entries };
}

function portfolios(images) {
  const sets = setsOf(images);
  return sets.flatMap((set) => {
    const title = [t("sheet_portfolio"), sets.length > 1 && fmt.date(set.createdAt)].filter(
      Boolean,
    );
    return byLens(set.images).map(([lens, found]) => ({
      title: [...title, lens].join(" · "),
      entries: found.map(({ image, camera }) => entryOf(image, { camera })),
    }));
  });
}

function byLens(images) {
  const placed = images
    .map((image) => ({ image, camera: cameraOf(image) }))
    .sort((a, b) => byCamera(a.camera, b.camera) || compare(nameOf(a.image), nameOf(b.image)));
  const lenses = new Map();
  for (const each of placed) {
    const lens = each.camera ? lensText(each.camera.lensMm) : t("sheet_no_camera");
    if (!lenses.has(lens)) lenses.set(lens, []);
    lenses.get(lens).push(each);
  }
  return [...lenses];
}

function byCamera(a, b) {
  if (!a || !b) return a ? -1 : b ? 1 : 0;
  return (
    compare(a.lensMm ?? Infinity, b.lensMm ?? Infinity) ||
    a.azimuth - b.azimuth ||
    b.elevation - a.elevation
  );
}

function entryOf(image, { camera = null, isCurrent = false } = {}) {
  return {
    image,
    title: nameOf(image),
    failed: !image.media?.url,
    // Worked out when it is shown: dates in words take their time with thousands of images.
    get lines() {
      return [
        isCurrent && t("sheet_current"),
        camera && `${azimuthText(camera.azimuth)}, ${elevationText(camera.elevation)}`,
        fmt.date(image.createdAt),
      ].filter(Boolean);
    },
  };
}

const newestFirst = (a, b) => compare(b.createdAt, a.createdAt) || compare(b.id, a.id);

const compare = (a, b) => {
  if (a === b) return 0;
  return a < b ? -1 : 1;
};
