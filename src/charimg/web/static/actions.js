// What can be done with an image, from the grid, a menu, a panel or the viewer.

import { api } from "./api.js";
import { t } from "./config.js";
import { copy, h, root } from "./dom.js";
import { remove } from "./deletes.js";
import { tell } from "./operations.js";
import { store } from "./state.js";
import { failed, toast } from "./toast.js";

const absolute = (url) => new URL(url, location.href).href;

async function during(image, what, work) {
  if (store.busy.has(image.id)) return false;
  store.busy.set(image.id, what);
  store.troubles.delete(image.id);
  store.changed();
  try {
    await work();
    tell();
    return true;
  } catch (error) {
    store.troubles.set(image.id, error.message);
    failed(error.unconfirmed ? t("unconfirmed") : t(`${what}_failed`), error);
    return false;
  } finally {
    store.busy.delete(image.id);
    store.changed();
    store.refetch();
  }
}

export const isCurrent = (image) => store.current?.id === image.id;

/** Whether an action fits an image. */
export const can = {
  view: (image) => image.media !== null,
  download: (image) => Boolean(image.media?.url),
  copyLink: (image) => Boolean(image.media?.url),
  // What was never drawn cannot be fetched; to ask for it anew is a new portfolio.
  retry: (image) => image.status === "failed" && Boolean(image.sourceUrl || image.externalId),
  restore: (image) =>
    image.kind === "reference" && image.status === "succeeded" && !isCurrent(image),
  remove: () => true,
  reuse: (image) => image.prompt !== "",
  copyPrompt: (image) => image.prompt !== "",
};

export const actions = {
  download(image) {
    if (!can.download(image)) return;
    const link = h("a", { href: image.media.url, download: image.media.filename, hidden: true });
    root().append(link);
    link.click();
    link.remove();
  },

  async copyLink(image) {
    if (!can.copyLink(image)) return;
    const done = await copy(absolute(image.media.url));
    toast({
      text: t(done ? "link_copied" : "copy_failed"),
      kind: done ? "ok" : "error",
      seconds: 4,
    });
  },

  async copyPrompt(image) {
    const done = await copy(image.prompt);
    toast({
      text: t(done ? "prompt_copied" : "copy_failed"),
      kind: done ? "ok" : "error",
      seconds: 4,
    });
  },

  /** Put the prompt where it can be used again: a scene's into the scene, others' above. */
  reuse(image) {
    document.dispatchEvent(new CustomEvent("charimg:reuse", { detail: image }));
  },

  retry: (image, { quiet = false } = {}) =>
    during(image, "retry", async () => {
      const { image: next, warnings = [] } = await api.retry(image.id);
      store.upsert(next);
      for (const { message } of warnings) toast({ text: message, kind: "warn", seconds: 0 });
      if (!quiet) toast({ text: t("retried"), kind: "ok" });
    }),

  restore: (image) =>
    during(image, "restore", async () => {
      const { image: next } = await api.restore(image.id);
      store.upsert(next);
      toast({ text: t("restored"), kind: "ok" });
    }),

  remove(image) {
    remove([image.id]);
  },

  async view(image) {
    if (!can.view(image)) return;
    // What the filter hides, such as a panel's reference, is looked at alone.
    const alone = !store.view.includes(image);
    await opened("./viewer.js", async ({ openViewer }) => {
      const viewer = await openViewer({
        images: () => (alone ? [store.images.get(image.id)].filter(Boolean) : viewable()),
        startId: image.id,
        store,
        actions: offered(),
      });
      const last = await viewer.closed;
      // The focus follows to the card of what was seen last.
      if (last && last.id !== image.id) {
        document.dispatchEvent(new CustomEvent("charimg:show", { detail: last.id }));
      }
    });
  },
};

const viewable = () => store.view.filter((image) => can.view(image));

/** What the viewer offers, with the words and keys of the menu. */
function offered() {
  const offer = (name, labelKey, rest = {}) => ({
    labelKey,
    available: can[name],
    run: (image) => actions[name](image),
    ...rest,
  });
  return [
    offer("download", "download", { shortcut: "d" }),
    offer("copyLink", "copy_link", { shortcut: "c" }),
    {
      labelKey: "turntable",
      shortcut: "t",
      available: ({ kind }) => kind === "portfolioItem",
      run: ({ id }) => document.dispatchEvent(new CustomEvent("charimg:turntable", { detail: id })),
    },
    offer("restore", "restore"),
    offer("remove", "delete", { shortcut: "Delete", danger: true }),
  ];
}

/** Load a module when it is first used, and tell when that fails. */
export async function opened(module, use) {
  try {
    return await use(await import(module));
  } catch (error) {
    return failed(t("module_failed"), error);
  }
}
