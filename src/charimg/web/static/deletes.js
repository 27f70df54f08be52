// Deleting: gone from the page at once, undone until it is sent, back with the reason if it fails.

import { api } from "./api.js";
import { t } from "./config.js";
import { store } from "./state.js";
import { failed, toast } from "./toast.js";
import { beforeRun, tell } from "./operations.js";

const SECONDS = 8;
const AT_ONCE = 500;

/** What was deleted and is not sent yet, the latest last. */
let waiting = [];
let notice = null;
/** The current reference, if it is among them. */
let currentId = null;
let sending = Promise.resolve();

const counted = () => waiting.reduce((sum, ids) => sum + ids.length, 0);

/** What is waiting, in words; the current reference goes on the Character Library, too. */
function textOf() {
  const count = counted();
  const isLinked = Boolean(store.character?.libraryDbId);
  const withCurrent = isLinked && waiting.some((ids) => ids.includes(currentId));
  if (!withCurrent) return t("deleted", { count });
  return count === 1 ? t("deleted_current") : t("deleted_with_current", { count });
}

/** Delete images: they leave the page now, and the server is told when the time is over. */
export function remove(ids) {
  const fresh = ids.filter((id) => !store.hidden.has(id));
  if (!fresh.length) return;
  // Asked before it is hidden: then another one, or none, would be the current one.
  if (fresh.includes(store.current?.id)) currentId = store.current.id;
  waiting.push(fresh);
  for (const id of fresh) {
    store.hidden.add(id);
    store.troubles.delete(id);
  }
  store.changed();
  notice?.close(false);
  tellWaiting();
}

function tellWaiting() {
  notice = toast({
    text: textOf(),
    seconds: SECONDS,
    action: { text: t("undo"), run: undo, keys: "Control+Z" },
    onEnd: flush,
  });
}

/** Bring back what was deleted last. */
export function undo() {
  const ids = waiting.pop();
  if (!ids) return false;
  notice?.close(false);
  notice = null;
  for (const id of ids) store.hidden.delete(id);
  store.changed();
  // At once: a frame later the focus would be taken from wherever the reader has moved it.
  document.dispatchEvent(new CustomEvent("charimg:show", { detail: ids[0] }));
  toast({ text: t("undone", { count: ids.length }), kind: "ok", seconds: 4 });
  if (waiting.length) tellWaiting();
  return true;
}

/** Send what is waiting, one request after the other. */
export function flush({ keepalive = false } = {}) {
  const ids = waiting.flat();
  waiting = [];
  notice = null;
  if (!ids.length) return sending;
  if (keepalive) {
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      api.removeMany(ids.slice(at, at + AT_ONCE), { keepalive }).catch(() => {});
    }
    return sending;
  }
  sending = sending.then(() => deliver(ids));
  return sending;
}

async function deliver(ids) {
  const gone = [];
  const failures = [];
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = ids.slice(at, at + AT_ONCE);
    try {
      const said = await sent(some);
      gone.push(...said.removed);
      failures.push(...said.failures);
      for (const warning of said.warnings ?? []) {
        toast({ text: warning.message, kind: "warn", seconds: 0 });
      }
    } catch (error) {
      const { message, unconfirmed } = error;
      failures.push(...some.map((id) => ({ id, error: message, unconfirmed })));
    }
  }
  for (const { id, error, unconfirmed } of failures) {
    store.hidden.delete(id);
    store.troubles.set(id, unconfirmed ? error : t("not_deleted", { reason: error }));
  }
  store.drop(gone);
  if (failures.length) {
    const again = failures.map(({ id }) => id);
    const key = failures.some(({ unconfirmed }) => unconfirmed) ? "unconfirmed" : "delete_failed";
    failed(t(key, { count: failures.length }), new Error(failures[0].error), {
      text: t("try_again"),
      run: () => remove(again),
    });
  }
  tell();
  await store.refetch();
}

async function sent(ids) {
  if (ids.length > 1) return api.removeMany(ids);
  try {
    const said = await api.remove(ids[0]);
    return { removed: ids, failures: [], warnings: said.warnings };
  } catch (error) {
    // Somebody else was faster; gone is gone.
    if (error.status === 404) return { removed: ids, failures: [] };
    throw error;
  }
}

// A page that goes away takes nothing back any more.
addEventListener("pagehide", () => {
  notice?.close(false);
  flush({ keepalive: true });
});
// One that comes back from the browser's memory shows what became of it.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  store.hidden.clear();
  store.refetch();
});
beforeRun.push(() => {
  notice?.close(false);
  return flush();
});
