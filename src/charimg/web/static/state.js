// What the page knows of the images: the list under the filter, the references, the counts.

import { api } from "./api.js";
import { config } from "./config.js";

/** Images per request when the whole list is read: few requests, and no long parsing. */
const MANY = 500;

const newestFirst = (a, b) =>
  a.createdAt < b.createdAt ? 1 : a.createdAt > b.createdAt ? -1 : a.id < b.id ? 1 : -1;

// The shots of one lens go around the head from left to right.
const byShot = (a, b) => {
  const [one, other] = [a.metrics?.shot, b.metrics?.shot];
  if (!one || !other) return one ? -1 : other ? 1 : newestFirst(a, b);
  return (
    (one.lensMm ?? 0) - (other.lensMm ?? 0) ||
    (one.cameraAzimuthDeg ?? 0) - (other.cameraAzimuthDeg ?? 0) ||
    (one.cameraElevationDeg ?? 0) - (other.cameraElevationDeg ?? 0) ||
    newestFirst(a, b)
  );
};

const SORTS = {
  newest: null,
  oldest: (a, b) => newestFirst(b, a),
  largest: (a, b) => (b.media?.filesize ?? -1) - (a.media?.filesize ?? -1) || newestFirst(a, b),
  shot: byShot,
};

const EMPTY = { kind: "", status: "", search: "", sort: "newest" };

/** Give the files of the host's own server the prefix that a proxy has put before its paths. */
function placed(image) {
  const { root } = config;
  for (const name of root && image.media ? ["url", "thumbnailURL"] : []) {
    const url = image.media[name];
    if (url?.startsWith("/") && !url.startsWith("//") && !url.startsWith(`${root}/`))
      image.media[name] = root + url;
  }
  return image;
}

class Store {
  /** Every image that was read, by id. */
  images = new Map();
  query = { ...EMPTY };
  /** Ids under the server's filter, newest first, as far as they were read. */
  ids = [];
  cursor = null;
  /** How many images match the filter on the server; null before the first answer. */
  count = null;
  /** How many images the character has. */
  total = null;
  character = null;
  phase = "loading";
  error = null;
  moreError = null;
  loadingMore = false;
  /** Ids that are deleted here and not yet there. */
  hidden = new Set();
  /** Why an image could not be deleted, retried or restored, by its id. */
  troubles = new Map();
  /** Ids that something is being done with, and what. */
  busy = new Map();
  references = [];
  shots = [];
  /** Whether the character has more portfolio shots than those. */
  hasMoreShots = false;

  #subscribers = new Set();
  #told = true;
  #view = null;
  #words = new WeakMap();
  #turn = 0;
  #aborter = null;
  #reading = null;
  #refetching = null;

  get() {
    return this;
  }

  subscribe(subscriber) {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /** Tell the subscribers, once for all that changes in one go. */
  changed() {
    this.#view = null;
    if (!this.#told) return;
    this.#told = false;
    queueMicrotask(() => {
      this.#told = true;
      for (const subscriber of this.#subscribers) subscriber(this);
    });
  }

  /** The images that the grid shows, in its order. */
  get view() {
    if (this.#view) return this.#view;
    const words = this.query.search.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const id of this.ids) {
      const image = this.images.get(id);
      if (image && !this.hidden.has(id) && this.#matches(image, words)) found.push(image);
    }
    const sort = SORTS[this.query.sort];
    if (sort) found.sort(sort);
    this.#view = found;
    return found;
  }

  #matches(image, words) {
    if (!words.length) return true;
    let text = this.#words.get(image);
    if (text === undefined) {
      text = `${image.prompt} ${image.metrics?.shot?.name ?? ""}`.toLocaleLowerCase();
      this.#words.set(image, text);
    }
    return words.every((word) => text.includes(word));
  }

  /** Whether search or order need every image, and not all are here yet. */
  get wantsAll() {
    return (
      this.cursor !== null && (this.query.search.trim() !== "" || this.query.sort !== "newest")
    );
  }

  get isFiltered() {
    const { kind, status, search } = this.query;
    return Boolean(kind || status || search.trim());
  }

  /** The reference that is the remote master now, among those that were read. */
  get current() {
    const since = (image) => image.metrics?.masterSince ?? "";
    return this.references
      .filter((image) => image.status === "succeeded" && !this.hidden.has(image.id))
      .reduce((best, image) => (!best || since(image) > since(best) ? image : best), null);
  }

  /** Change the filter, the search or the order. Only a new filter asks the server. */
  setQuery(change) {
    const before = this.query;
    this.query = { ...before, ...change };
    if (before.kind !== this.query.kind || before.status !== this.query.status) {
      this.ids = [];
      this.cursor = null;
      this.count = null;
      this.phase = "loading";
      this.refetch();
    } else if (this.wantsAll) this.loadAll();
    this.changed();
  }

  #page(limit, cursor, signal) {
    const { kind, status } = this.query;
    return api.images({ limit, cursor, kind, status }, { signal });
  }

  #keep(images) {
    for (const image of images) this.images.set(image.id, placed(image));
  }

  /**
   * Read the list anew, as deep as it was read before, and the references with it. What is shown
   * stays until the new list is there.
   */
  refetch() {
    this.#refetching = this.#refetch();
    return this.#refetching;
  }

  async #refetch() {
    const turn = (this.#turn += 1);
    this.#aborter?.abort();
    this.#aborter = new AbortController();
    const { signal } = this.#aborter;
    const depth = Math.max(this.ids.length, config.pageSize);
    const ids = new Set();
    let cursor = null;
    try {
      do {
        const left = depth - ids.size;
        const page = await this.#page(
          Math.min(Math.max(left, config.pageSize), MANY),
          cursor,
          signal,
        );
        if (turn !== this.#turn) return;
        this.#keep(page.images);
        for (const image of page.images) ids.add(image.id);
        cursor = page.nextCursor;
        this.count = page.count;
        this.character = page.character;
      } while (cursor !== null && ids.size < depth);
      this.ids = [...ids];
      this.cursor = cursor;
      this.phase = "ready";
      this.error = null;
      this.moreError = null;
      this.changed();
      await this.#aside(turn, signal);
      this.#forget();
      if (this.wantsAll) this.loadAll();
    } catch (error) {
      if (error.name === "AbortError" || turn !== this.#turn) return;
      this.error = error;
      if (this.phase === "loading") this.phase = "failed";
      this.changed();
    }
  }

  /** The references and shots that the panels show, whatever the grid's filter is. */
  async #aside(turn, signal) {
    const { kind, status } = this.query;
    if (!kind && !status && this.cursor === null) {
      const all = this.ids.map((id) => this.images.get(id));
      this.total = this.count;
      this.references = all.filter((image) => image.kind === "reference");
      this.shots = all.filter((image) => image.kind === "portfolioItem");
      this.hasMoreShots = false;
    } else {
      const [references, shots, total] = await Promise.all([
        api.images({ kind: "reference", limit: 100 }, { signal }),
        api.images(
          { kind: "portfolioItem", limit: Math.min(1000, Math.max(100, this.shots.length)) },
          { signal },
        ),
        kind || status ? api.images({ limit: 1 }, { signal }) : { count: this.count },
      ]);
      if (turn !== this.#turn) return;
      this.#keep(references.images);
      this.#keep(shots.images);
      this.total = total.count;
      this.references = references.images;
      this.shots = shots.images;
      this.hasMoreShots = shots.nextCursor !== null;
    }
    this.changed();
  }

  #forget() {
    const used = new Set(this.ids);
    for (const image of [...this.references, ...this.shots]) used.add(image.id);
    for (const id of this.images.keys()) if (!used.has(id)) this.images.delete(id);
    for (const id of this.troubles.keys()) if (!used.has(id)) this.troubles.delete(id);
  }

  /** Read the next page, if there is one and none is being read. */
  loadMore(limit = config.pageSize) {
    if (this.cursor === null || this.phase !== "ready") return Promise.resolve();
    this.#reading ??= this.#readMore(limit).finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readMore(limit) {
    const turn = this.#turn;
    this.loadingMore = true;
    this.moreError = null;
    this.changed();
    try {
      const page = await this.#page(limit, this.cursor);
      if (turn !== this.#turn) return;
      this.#keep(page.images);
      const known = new Set(this.ids);
      this.ids = this.ids.concat(page.images.map(({ id }) => id).filter((id) => !known.has(id)));
      this.cursor = page.nextCursor;
      this.count = page.count;
    } catch (error) {
      if (turn === this.#turn) this.moreError = error;
    } finally {
      this.loadingMore = false;
      this.changed();
    }
  }

  /** Read every page that is left, also of a list that is read anew meanwhile. */
  async loadAll() {
    for (;;) {
      await this.#refetching;
      if (this.cursor === null || this.moreError || this.phase !== "ready") return;
      await this.loadMore(MANY);
    }
  }

  /** Read every shot of the character, beyond those that the panel needs. */
  async loadShots() {
    if (!this.hasMoreShots) return;
    const shots = [];
    let cursor = null;
    do {
      const page = await api.images({ kind: "portfolioItem", limit: MANY, cursor });
      shots.push(...page.images);
      cursor = page.nextCursor;
    } while (cursor !== null);
    this.#keep(shots);
    this.shots = shots;
    this.hasMoreShots = false;
    this.changed();
  }

  /** How many images of each kind the character has, asked anew where it must be. */
  async counts() {
    const kinds = ["reference", "portfolioItem", "scene"];
    const answers = await Promise.all(
      [{}, ...kinds.map((kind) => ({ kind }))].map((query) => api.images({ ...query, limit: 1 })),
    );
    const [all, ...each] = answers.map(({ count }) => count);
    return { all, ...Object.fromEntries(kinds.map((kind, index) => [kind, each[index]])) };
  }

  /** Take in an image that landed or changed, without asking for the list. */
  upsert(image) {
    const isNew = !this.images.has(image.id);
    this.images.set(image.id, placed(image));
    this.troubles.delete(image.id);
    const { kind, status } = this.query;
    const fits = (!kind || image.kind === kind) && (!status || image.status === status);
    const at = this.ids.indexOf(image.id);
    if (at >= 0 && !fits) {
      this.ids = this.ids.toSpliced(at, 1);
      this.count -= 1;
    } else if (at < 0 && fits) {
      const before = this.ids.findIndex((id) => newestFirst(image, this.images.get(id)) < 0);
      if (before >= 0 || this.cursor === null) {
        this.ids = this.ids.toSpliced(before < 0 ? this.ids.length : before, 0, image.id);
      }
      this.count = (this.count ?? 0) + 1;
    }
    if (isNew && this.total !== null) this.total += 1;
    for (const name of ["references", "shots"]) {
      const wanted = name === "references" ? "reference" : "portfolioItem";
      if (image.kind !== wanted) continue;
      this[name] = [image, ...this[name].filter(({ id }) => id !== image.id)].sort(newestFirst);
    }
    this.changed();
  }

  /** Forget images that are deleted. */
  drop(ids) {
    const gone = new Set(ids);
    const listed = this.ids.filter((id) => gone.has(id)).length;
    this.ids = this.ids.filter((id) => !gone.has(id));
    this.references = this.references.filter(({ id }) => !gone.has(id));
    this.shots = this.shots.filter(({ id }) => !gone.has(id));
    if (this.count !== null) this.count -= listed;
    if (this.total !== null) this.total -= gone.size;
    for (const id of gone) {
      this.images.delete(id);
      this.hidden.delete(id);
      this.busy.delete(id);
      this.troubles.delete(id);
    }
    this.changed();
  }
}

export const store = new Store();
