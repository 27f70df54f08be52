// Reading files for an export, and giving a file to the reader.

import { h, root } from "./dom.js";

const IMAGE_TYPES = ["image/avif", "image/gif", "image/jpeg", "image/png", "image/webp"];

/** Why a file could not be read. */
export const ORIGIN = "origin";
export const NETWORK = "network";
export const CONTENT = "content";

/** Let the browser save a blob under a name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name, hidden: true });
  // Beneath a modal dialog a click does nothing.
  (document.querySelector("dialog:modal") ?? root()).append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A file name of letters and figures that every system takes, with today's date. */
export function fileName(words, extension, now = new Date()) {
  const plain = words.normalize("NFKD").replace(/\p{M}+/gu, "");
  const stem = plain
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return `${stem.slice(0, 80) || "images"}-${isoDay(now)}.${extension}`;
}

/** A day as 2026-11-25, where the reader lives. */
export function isoDay(now) {
  const two = (value) => String(value).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/**
 * Read an image's bytes. Resolves with {blob} or {problem}. What comes from another origin can be
 * read only where that origin allows it; drawn without asking, it would taint the canvas.
 */
export async function readFile(url, signal) {
  const foreign = new URL(url, location.href).origin !== location.origin;
  // What the page itself has shown may lie in the cache without the headers that allow to read it.
  for (const cache of foreign ? ["default", "reload"] : ["default"]) {
    try {
      const response = await fetch(url, { signal, cache, credentials: "same-origin" });
      if (!response.ok) return { problem: NETWORK };
      const blob = await response.blob();
      const type = blob.type.split(";")[0].trim().toLowerCase();
      if (!IMAGE_TYPES.includes(type)) return { problem: CONTENT };
      return { blob: blob.slice(0, blob.size, type) };
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
  }
  return { problem: foreign ? ORIGIN : NETWORK };
}

/** Decode a blob, no larger than a box of pixels; null when it is no image. */
export async function decode(blob, width, height) {
  try {
    const whole = await createImageBitmap(blob);
    const scale = Math.min(width / whole.width, height / whole.height, 1);
    if (scale === 1) return whole;
    const small = await createImageBitmap(whole, {
      resizeWidth: Math.max(1, Math.round(whole.width * scale)),
      resizeHeight: Math.max(1, Math.round(whole.height * scale)),
      resizeQuality: "high",
    });
    whole.close();
    return small;
  } catch {
    return null;
  }
}

/** Run `work` on each value, a few at a time, in order of their start. */
export async function inParallel(values, work, limit = 4) {
  const entries = values.entries();
  const worker = async () => {
    for (const [index, value] of entries) await work(value, index);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
