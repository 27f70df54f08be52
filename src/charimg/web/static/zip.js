// The files of many images as one zip, with progress while it comes.

import { api } from "./api.js";
import { config, fmt, t } from "./config.js";
import { fileName, save } from "./save.js";
import { failed, toast } from "./toast.js";

/** So many bytes are handed to the browser at once, which may keep them on disk. */
const FOLD_BYTES = 16_000_000;
const TELL_MS = 250;

/**
 * Download images as one zip; what happens is told at the foot of the page. Resolves with whether
 * it was saved.
 *
 * @param ids Ids of images.
 * @param bytes How large the files are together, when known.
 * @param name What the zip is called, without extension and date.
 */
export async function downloadArchive(ids, { bytes = null, name = config.characterId } = {}) {
  const aborter = new AbortController();
  const words = (received) =>
    bytes
      ? t("zip_progress_of", {
          received: fmt.size(received),
          total: fmt.size(Math.max(bytes, received)),
        })
      : t("zip_progress", { received: fmt.size(received) });
  const notice = toast({
    text: t("zip_started", { count: ids.length }),
    seconds: 0,
    action: { text: t("viewer_cancel"), run: () => aborter.abort() },
  });
  try {
    const response = await api.archive(ids, { signal: aborter.signal });
    const blob = await receive(response, (received) => notice.update(words(received)));
    save(blob, fileName(name, "zip"));
    notice.close();
    toast({ text: t("zip_saved", { count: ids.length, size: fmt.size(blob.size) }), kind: "ok" });
    return true;
  } catch (error) {
    notice.close();
    if (aborter.signal.aborted) return false;
    // A stream that breaks off says nothing to people.
    failed(t("zip_failed"), error.code ? error : new Error(t("zip_broken_off")));
    return false;
  }
}

/** Read a response to its end; `onProgress(bytes)` is called now and then. */
export async function receive(response, onProgress) {
  const parts = [];
  let chunks = [];
  let held = 0;
  let received = 0;
  let told = -Infinity;
  const fold = () => {
    parts.push(new Blob(chunks));
    chunks = [];
    held = 0;
  };
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    held += value.byteLength;
    received += value.byteLength;
    if (held >= FOLD_BYTES) fold();
    if (performance.now() - told >= TELL_MS) {
      told = performance.now();
      onProgress(received);
    }
  }
  fold();
  onProgress(received);
  return new Blob(parts, { type: "application/zip" });
}
