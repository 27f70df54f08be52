// The work that runs for this character, started here, in another tab, or before a reload.

import { api } from "./api.js";
import { config, t } from "./config.js";
import { store } from "./state.js";
import { toast } from "./toast.js";

const LOOK_SECONDS = 12;
const SILENT_MS = 1500;
/** The key of a job whose request is sent and not answered yet. */
const UNNAMED = "unnamed";
export const GENERATIONS = ["reference", "portfolio", "scene"];

const subscribers = new Set();
const followed = new Set();
let seen = null;
let posting = 0;

/** The generations that run now, by operation id. */
export const jobs = new Map();

/**
 * The latest portfolio operation, for its slots; and the generations whose end is open: they may
 * have been drawn and paid for, and nothing is at work on them.
 */
export const latest = { portfolio: null, open: [] };
const OPEN = ["posting", "received", "unknown"];

/** What is done before a generation is asked for: the server does one thing at a time. */
export const beforeRun = [];

export function subscribe(subscriber) {
  subscribers.add(subscriber);
  return () => subscribers.delete(subscriber);
}

function changed() {
  for (const subscriber of subscribers) subscriber();
}

/** The generation that runs now, if one does. */
export const running = () => jobs.values().next().value ?? null;

// Other tabs of this browser learn of a change at once.
const channel =
  "BroadcastChannel" in globalThis
    ? new BroadcastChannel(`charimg:${config.base}:${config.characterId}`)
    : null;
channel?.addEventListener("message", () => discover({ refetch: true }));

/** Tell the other tabs that something changed. */
export const tell = () => channel?.postMessage("changed");

function job(operationId, kind, own) {
  let found = jobs.get(operationId);
  if (!found && operationId) {
    found = {
      id: operationId,
      kind,
      own,
      current: 0,
      total: kind === "portfolio" ? 27 : 1,
      task: null,
      storing: false,
      failed: 0,
      landed: new Map(),
      since: Date.now(),
    };
    jobs.set(operationId, found);
  }
  return found;
}

function hear(found, name, data) {
  found.isSent = true;
  if (name === "started") {
    // The images that it deletes first are gone now.
    if (found.kind === "reference") refetchSoon();
  } else if (name === "progress") {
    found.current = data.current ?? found.current;
    found.total = data.total || found.total;
    found.task = data.task ?? found.task;
  } else if (name === "image" || name === "failure") {
    found.storing = true;
    found.current = data.done ?? found.current;
    found.total = data.total || found.total;
    found.landed.set(data.image.key, data.image);
    found.failed = [...found.landed.values()].filter(({ status }) => status === "failed").length;
    store.upsert(data.image);
  } else if (name === "warning") {
    toast({ text: data.message, kind: "warn", seconds: 0 });
  } else if (name === "reference-retried") {
    toast({ text: t("reference_retried") });
  } else if (name === "operation") {
    const { progress, failed } = data.operation;
    if (progress?.total) found.total = progress.total;
    if (!found.storing) found.current = Math.max(found.current, progress?.current ?? 0);
    found.task = progress?.task ?? progress?.shot ?? found.task;
    found.failed = failed ?? found.failed;
    if (data.operation.stored > found.landed.size || data.operation.removed) refetchSoon();
    found.since = Math.min(found.since, Date.parse(data.operation.createdAt) || Date.now());
  }
  changed();
}

let soon = 0;
function refetchSoon() {
  soon ||= setTimeout(() => {
    soon = 0;
    store.refetch();
  }, 1000);
}

/** What is over is taken out, and everything is read anew. */
async function settle(operationId) {
  jobs.delete(operationId);
  changed();
  tell();
  await Promise.all([store.refetch(), discover()]);
}

/**
 * Generate. Resolves with the answer; what fails is thrown. A 409 brings the operation that stands
 * in the way into view.
 */
export async function run(kind, body) {
  let operationId = null;
  posting += 1;
  const waiting = job(UNNAMED, kind, true);
  changed();
  await Promise.all(beforeRun.map((first) => first()));
  // A host that does not stream says nothing until the end; then it is found among the running.
  const silent = setTimeout(discover, SILENT_MS);
  try {
    return await api.generate(kind, body, (name, data) => {
      if (!operationId) {
        operationId = data.operationId ?? data.operation?.id;
        clearTimeout(silent);
        followed.add(operationId);
        jobs.delete(UNNAMED);
        job(operationId, kind, true).since = waiting.since;
        tell();
      }
      hear(jobs.get(operationId), name, data);
    });
  } finally {
    clearTimeout(silent);
    posting -= 1;
    jobs.delete(UNNAMED);
    await settle(operationId);
  }
}

async function watch(operation) {
  followed.add(operation.id);
  if (posting) jobs.delete(UNNAMED);
  const shown = GENERATIONS.includes(operation.kind);
  const found = shown ? job(operation.id, operation.kind, posting > 0) : null;
  const told = shown && !found.own;
  if (found) hear(found, "operation", { operation });
  try {
    const said = await api.follow(operation.id, (name, data) => found && hear(found, name, data));
    if (told) {
      const failures = said.failures?.length ?? said.operation?.failed ?? 0;
      const ended = said.operation?.state;
      if (ended === "failed" || ended === "unknown") {
        toast({
          text: t(`job_ended_${ended}`),
          detail: said.operation.error ?? "",
          kind: "error",
          seconds: 0,
        });
      } else if (failures) {
        const key = operation.kind === "portfolio" ? "portfolio_failures" : "job_ended_not_stored";
        toast({ text: t(key, { count: failures }), kind: "warn", seconds: 12 });
      } else toast({ text: t(`done_${operation.kind}`), kind: "ok" });
    }
  } catch (error) {
    if (told) {
      const key = error.imageId
        ? "job_ended_not_stored"
        : error.operationId && !error.outcomeUnknown && !error.recoverable
          ? "job_ended_failed"
          : "job_ended_open";
      toast({ text: t(key), detail: error.message, kind: "error", seconds: 0 });
    }
  }
  await settle(operation.id);
}

/** Ask what runs, and follow it. What changed elsewhere is read anew. */
export async function discover({ refetch = false } = {}) {
  let operations;
  let open = [];
  try {
    ({ operations, open = [] } = await api.operations({ limit: 20 }));
  } catch {
    // The list of images tells what is wrong; this is asked again later.
    return;
  }
  // What may have been paid for must not be forgotten with the page that asked for it.
  latest.open = open.filter(
    ({ kind, running: runs, state }) => GENERATIONS.includes(kind) && !runs && OPEN.includes(state),
  );
  latest.portfolio = operations.find(({ kind }) => kind === "portfolio") ?? latest.portfolio;
  const state = operations.map(({ id, state: at, updatedAt }) => `${id}${at}${updatedAt}`).join();
  const news = seen !== null && seen !== state;
  seen = state;
  for (const operation of operations) {
    if (!operation.running) continue;
    if (!followed.has(operation.id)) watch(operation);
    // Also where a proxy holds the stream back, it is seen to go on.
    else if (jobs.has(operation.id)) hear(jobs.get(operation.id), "operation", { operation });
  }
  changed();
  if (refetch || (news && !jobs.size)) await store.refetch();
}

/** Begin to look after the work of others. */
export function keepLooking() {
  const look = () => {
    if (document.visibilityState === "visible") discover();
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("online", look);
  setInterval(look, LOOK_SECONDS * 1000);
  return discover();
}
