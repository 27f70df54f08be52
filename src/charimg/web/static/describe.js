// An image and its camera in words; shared by viewer, turntable and contact sheet.

import { fmt, kindText, t } from "./config.js";

/** A short name: the shot's, or the kind. */
export function nameOf(image) {
  return image.metrics?.shot?.name || kindText(image.kind);
}

/** What a prompt is called: of a set's shot only that of its reference is known. */
export const promptName = ({ metrics }) =>
  t(metrics?.promptOrigin === "reference" ? "prompt_of_reference" : "viewer_prompt");

/** The alternative text, the record's own where it has one. */
export function altOf(image) {
  return image.media?.alt || nameOf(image);
}

/** What a file says of where it comes from, in one line; nobody has proved it. */
export function provenanceText({ metrics }) {
  const found = metrics?.provenance;
  if (!found) return "";
  const { digitalSourceType: type, tool, credentials, generator, marked } = found;
  return [
    type?.split("/").at(-1),
    tool && t("provenance_tool", { tool }),
    credentials && t("provenance_credentials"),
    generator && t("provenance_generator", { generator }),
    marked && t(marked === "sign" ? "provenance_signed" : "provenance_labelled"),
  ]
    .filter(Boolean)
    .join(", ");
}

/** Where the camera stands around the character: "front", "35° to the character's left". */
export function azimuthText(azimuth) {
  if (azimuth === 0) return t("turntable_front");
  if (azimuth === 180) return t("turntable_back");
  return t(azimuth > 0 ? "turntable_right" : "turntable_left", {
    degrees: degrees(Math.abs(azimuth)),
  });
}

/** How high it stands: "level", "15° from above". */
export function elevationText(elevation) {
  if (elevation === 0) return t("turntable_level");
  return t(elevation > 0 ? "turntable_above" : "turntable_below", {
    degrees: degrees(Math.abs(elevation)),
  });
}

/** A lens: "85 mm". */
export function lensText(lensMm) {
  return lensMm === null || lensMm === undefined
    ? t("turntable_lens_unknown")
    : t("turntable_lens", { mm: lensMm });
}

/** A whole camera in one line. */
export function cameraText(camera) {
  return [
    lensText(camera.lensMm),
    azimuthText(camera.azimuth),
    elevationText(camera.elevation),
  ].join(" · ");
}

/** What a view shows besides its camera: "close-up, thoughtful". */
export function poseText(camera) {
  return [camera.crop && cropText(camera.crop), camera.expression].filter(Boolean).join(", ");
}

const CROPS = ["cu", "mcu", "3q", "full", "hands"];
const cropText = (crop) => (CROPS.includes(crop) ? t(`turntable_crop_${crop}`) : crop);

/** A signed angle in figures: "−35°". */
export function degrees(value) {
  return `${fmt.number(value)}°`;
}

/** Why there is no picture. */
export function failureText(image) {
  return image.error || t("viewer_failed_unknown");
}
