// The routes: JSON, and the streams of events of a running operation.

import { config, t } from "./config.js";

const PATHS = {
  reference: "generate-initial-image",
  portfolio: "generate-360-set",
  scene: "generate-scene-image",
};

const place = `${config.base}/v1/characters/${encodeURIComponent(config.characterId)}`;
const part = encodeURIComponent;

/** What a route refused or failed with, in words for people. */
export class ApiError extends Error {
  constructor(said) {
    super(said.error || t("error_unknown"));
    this.name = "ApiError";
    this.status = said.status ?? 0;
    this.code = said.code ?? "UNKNOWN";
    this.imageId = said.imageId ?? null;
    this.operationId = said.operationId ?? null;
    this.retryAfter = said.retryAfter ?? null;
    /** Whether the request came through is not known: the connection or a proxy failed. */
    this.unconfirmed = this.code === "OFFLINE" || (this.code === "NOT_JSON" && this.status >= 500);
    this.fromLibrary = said.outcomeUnknown !== undefined;
    this.outcomeUnknown = said.outcomeUnknown ?? false;
    this.recoverable = said.recoverable ?? false;
  }
}

async function send(
  method,
  path,
  { body, accept = "application/json", headers = {}, ...rest } = {},
) {
  const given = { Accept: accept, ...headers };
  if (method !== "GET") {
    given["Content-Type"] = "application/json";
    if (config.csrf) given[config.csrf.header] = config.csrf.token;
  }
  try {
    return await fetch(place + path, {
      method,
      headers: given,
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
      credentials: "same-origin",
      // On the way back, browsers take what they keep without asking.
      cache: "no-cache",
      ...rest,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ code: "OFFLINE", error: t("error_offline") });
  }
}

async function read(response) {
  let said;
  try {
    said = await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // A sign-in page of the host, or an error page of a proxy.
    const key = response.ok || response.status === 401 ? "error_signed_out" : "error_status";
    throw new ApiError({
      status: response.status,
      code: "NOT_JSON",
      error: t(key, { status: String(response.status) }),
    });
  }
  if (!response.ok || said.success === false) {
    throw new ApiError({ ...said, status: response.status });
  }
  return said;
}

const json = async (method, path, options) => read(await send(method, path, options));

const isStream = (response) =>
  response.ok && (response.headers.get("content-type") ?? "").startsWith("text/event-stream");

/** Read a stream's events; gives `{end, lastId}`, with `end` null when it broke off. */
async function consume(response, onEvent) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let lastId = null;
  let event = { name: "message", data: [] };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { end: null, lastId };
      rest += value;
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (event.data.length) {
            const data = JSON.parse(event.data.join("\n"));
            const { name } = event;
            event = { name: "message", data: [] };
            if (name === "done" || name === "error") return { end: { name, data }, lastId };
            onEvent(name, data);
          }
          event = { name: "message", data: [] };
        } else if (!line.startsWith(":")) {
          const at = line.indexOf(":");
          const field = at < 0 ? line : line.slice(0, at);
          const text = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
          if (field === "event") event.name = text;
          else if (field === "data") event.data.push(text);
          else if (field === "id") lastId = text;
        }
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { end: null, lastId };
  } finally {
    reader.cancel().catch(() => {});
  }
}

function finish({ name, data }) {
  if (name === "error") throw new ApiError(data);
  return data;
}

const wait = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

async function follow(operationId, onEvent, { lastId = null, signal } = {}) {
  let last = lastId;
  let pause = 500;
  for (;;) {
    let response = null;
    try {
      response = await send("GET", `/operations/${part(operationId)}`, {
        accept: "text/event-stream, application/json;q=0.5",
        headers: last ? { "Last-Event-ID": last } : {},
        signal,
      });
    } catch (error) {
      if (error.code !== "OFFLINE") throw error;
    }
    if (response && isStream(response)) {
      let heard = false;
      const { end, lastId: at } = await consume(response, (name, data) => {
        heard = true;
        onEvent(name, data);
      });
      if (end) return finish(end);
      if (at) last = at;
      if (heard) pause = 500;
    } else if (response && response.status < 500) {
      // A host that does not stream: ask again and again.
      const { operation } = await read(response);
      onEvent("operation", { operation });
      if (!operation.running) return { success: true, operation };
      pause = 1000;
    }
    await wait(pause, signal);
    pause = Math.min(pause * 2, 15000);
  }
}

export const api = {
  /** One page of images: limit, cursor, kind, status. */
  images(query = {}, { signal } = {}) {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== "") asked.set(name, value);
    }
    return json("GET", `/images?${asked}`, { signal });
  },

  /** The latest suggestion: prompt, template, facts. */
  suggest: () => json("GET", "/initial-image-prompt"),

  /**
   * Generate, and tell each event as it comes. Resolves with what `done` says. A stream that breaks
   * off is taken up again; the request itself is never sent a second time.
   */
  async generate(kind, body, onEvent = () => {}) {
    let response = null;
    try {
      response = await send("POST", `/${PATHS[kind]}`, {
        body,
        accept: "text/event-stream, application/json;q=0.5",
      });
      if (!isStream(response)) return await read(response);
    } catch (error) {
      // It may have come through all the same.
      error.outcomeUnknown ||= error.unconfirmed;
      throw error;
    }
    let operationId = null;
    const { end, lastId } = await consume(response, (name, data) => {
      operationId ??= data.operationId ?? data.operation?.id;
      onEvent(name, data);
    });
    if (end) return finish(end);
    if (operationId) return follow(operationId, onEvent, { lastId });
    throw new ApiError({ code: "OFFLINE", error: t("error_broken_off"), outcomeUnknown: true });
  },

  follow,

  operations: (query = {}) => json("GET", `/operations?${new URLSearchParams(query)}`),
  operation: (id) => json("GET", `/operations/${part(id)}`),
  retry: (id) => json("POST", `/images/${part(id)}/retry`),
  bringBack: (id) => json("POST", `/images/${part(id)}/repair`),
  restore: (id) => json("POST", `/images/${part(id)}/restore`),

  /** Look again what became of an operation; nothing is drawn. */
  recover: (id) => json("POST", `/operations/${part(id)}/recover`),
  candidates: (id) => json("GET", `/operations/${part(id)}/candidates`),
  candidateUrl: (id, mediaId) => `${place}/operations/${part(id)}/candidates/${part(mediaId)}`,
  /** Say what an operation has drawn: `{mediaIds}`, or `{nothing: true}`. */
  settle: (id, body) => json("POST", `/operations/${part(id)}/settle`, { body }),

  /** Delete one image. `keepalive` lets the request outlive the page. */
  remove: (id, { keepalive = false } = {}) => json("DELETE", `/images/${part(id)}`, { keepalive }),

  /** Delete up to 500 images; what failed is told one by one. */
  removeMany: (ids, { keepalive = false } = {}) =>
    json("DELETE", "/images", { body: { ids }, keepalive }),

  /** The files of these images as one zip: the response, whose body can be streamed. */
  async archive(ids, { signal } = {}) {
    const response = await send("POST", "/images/archive", {
      body: { ids },
      accept: "application/zip, application/json;q=0.5",
      signal,
    });
    if (!response.ok) await read(response);
    return response;
  },
};
