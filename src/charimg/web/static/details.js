// All that a record tells of an image, as a list with buttons to copy.

import { fmt, kindText, statusText, t } from "./config.js";
import { h } from "./dom.js";
import {
  azimuthText,
  elevationText,
  failureText,
  lensText,
  poseText,
  promptName,
  provenanceText,
} from "./describe.js";
import { copyButton } from "./overlay.js";
import { cameraOf } from "./spin.js";

/** Build the details of an image as a list of sections. */
export function details(image) {
  return [
    image.status === "failed" &&
      section(t("viewer_error"), h("p", { class: "dt-error" }, failureText(image))),
    promptOf(image),
    section(t("viewer_image"), facts(imageFacts(image))),
    section(t("viewer_camera"), facts(cameraFacts(image))),
    section(t("scene"), facts(sceneFacts(image.metrics?.scene ?? {}))),
    section(t("viewer_timing"), facts(timingFacts(image.metrics ?? {}))),
    section(t("viewer_origin"), facts(originFacts(image))),
  ].filter(Boolean);
}

function section(name, content) {
  return content && h("section", { class: "dt" }, h("h3", null, name), content);
}

function promptOf(image) {
  if (!image.prompt) return null;
  const name = promptName(image);
  return section(name, [
    h("p", { class: "dt-prompt", dir: "auto" }, image.prompt),
    copyButton(name, () => image.prompt),
  ]);
}

function facts(rows) {
  const told = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (told.length === 0) return null;
  return h(
    "dl",
    { class: "dt-facts" },
    told.map(([key, value, extra]) =>
      h("div", null, h("dt", null, t(key)), h("dd", null, value, extra ?? null)),
    ),
  );
}

function imageFacts(image) {
  const { media, metrics } = image;
  const width = media?.width ?? metrics?.width;
  const height = media?.height ?? metrics?.height;
  const bytes = media?.filesize ?? metrics?.bytes;
  const sha256 = media?.sha256 ?? metrics?.sha256;
  return [
    ["viewer_kind", kindText(image.kind)],
    ["viewer_status", statusText(image.status)],
    ["viewer_pixels", fmt.pixels(width, height)],
    ["viewer_bytes", fmt.size(bytes)],
    ["viewer_type", media?.mimeType],
    ["viewer_filename", media?.filename],
    [
      "viewer_sha256",
      sha256 && code(sha256),
      sha256 && copyButton(t("viewer_sha256"), () => sha256),
    ],
    ["viewer_cleaned", metrics?.cleaned?.join(", ")],
    ["viewer_created", image.createdAt && time(image.createdAt)],
    ["viewer_created_by", image.createdBy],
    ["viewer_master_since", metrics?.masterSince && time(metrics.masterSince)],
  ];
}

function cameraFacts(image) {
  const shot = image.metrics?.shot;
  if (!shot) return [];
  const camera = cameraOf(image);
  return [
    ["viewer_shot", shot.name],
    ["viewer_lens", camera && lensText(camera.lensMm)],
    ["viewer_azimuth", camera && azimuthText(camera.azimuth)],
    ["viewer_elevation", camera && elevationText(camera.elevation)],
    [
      "viewer_distance",
      camera?.cameraDistanceM && t("viewer_metres", { metres: camera.cameraDistanceM }),
    ],
    ["viewer_pose", camera && poseText(camera)],
  ];
}

const SCENE_TYPES = ["dialogue", "action", "emotional", "establishing"];

/** What was asked for beside what happens; types are open, a newer one is shown as it is. */
function sceneFacts({ type, mood, lighting }) {
  return [
    ["scene_type", SCENE_TYPES.includes(type) ? t(`scene_type_${type}`) : type],
    ["scene_mood", mood],
    ["scene_lighting", lighting],
  ];
}

function timingFacts(metrics) {
  const spent = (ms) => (typeof ms === "number" ? fmt.duration(ms) : null);
  return [
    ["viewer_generation", spent(metrics.generationMs)],
    ["viewer_download", spent(metrics.downloadMs)],
    ["viewer_inspection", spent(metrics.inspectionMs)],
    ["viewer_storing", spent(metrics.storingMs)],
  ];
}

function originFacts(image) {
  const { sourceUrl } = image;
  return [
    ["viewer_provider", image.provider],
    ["viewer_provenance", provenanceText(image)],
    [
      "viewer_source",
      sourceUrl && code(sourceUrl),
      sourceUrl && copyButton(t("viewer_source"), () => sourceUrl),
    ],
    ["viewer_external_id", image.externalId && code(image.externalId)],
    ["viewer_id", code(image.id), copyButton(t("viewer_id"), () => image.id)],
  ];
}

const code = (text) => h("code", { class: "dt-code", dir: "ltr" }, text);

function time(iso) {
  return h("time", { datetime: iso }, fmt.date(iso));
}
