// A pane that shows one image and zooms it: wheel, pinch, drag, double click, and by method.
//
// The view is {zoom, x, y}: how many times larger than when it fits, and which point of the image
// (0 to 1 each way) is in the middle of the pane; so two panes with images of any size can share it.

import { t } from "./config.js";
import { h } from "./dom.js";

const FIT = Object.freeze({ zoom: 1, x: 0.5, y: 0.5 });
const STEP = 1.4;
const SWIPE_PX = 60;
/** A small file is not blown up more than this to fill the pane. */
const LARGEST_FIT = 2;
const CACHED = 8;

const cache = new Map();

/** Fetch and decode an image ahead of its use; the browser keeps it. */
export function preload(url) {
  if (!url || cache.has(url)) return cache.get(url);
  const image = new Image();
  image.src = url;
  const ready = image.decode().then(
    () => true,
    () => false,
  );
  cache.set(url, ready);
  // Held only so that the browser does not drop what is about to be shown.
  if (cache.size > CACHED) cache.delete(cache.keys().next().value);
  return ready;
}

export class ZoomPane {
  #view = FIT;
  #size = { width: 1, height: 1 };
  #fit = 1;
  #turn = 0;
  #pointers = new Map();
  #moved = false;
  #image = null;
  #resize;
  #map;

  /** onView(view) tells a view that the user made; onSwipe(±1) a swipe over a fitting image. */
  constructor({ onView = () => {}, onSwipe = () => {} } = {}) {
    this.onView = onView;
    this.onSwipe = onSwipe;
    this.holder = h("div", { class: "zp-holder" });
    this.note = h("p", { class: "zp-note", hidden: true });
    this.#map = this.#navigator();
    this.element = h("div", { class: "zp" }, this.holder, this.note, this.#map.element);
    this.element.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    this.element.addEventListener("dblclick", (event) => this.#onDoubleClick(event));
    this.element.addEventListener("pointerdown", (event) => this.#onDown(event));
    this.element.addEventListener("pointermove", (event) => this.#onMove(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(end, (event) => this.#onUp(event));
    }
    this.#resize = new ResizeObserver(() => this.#measure());
    this.#resize.observe(this.element);
  }

  get view() {
    return this.#view;
  }

  /** How many pixels of the page one pixel of the file takes, in percent; null without an image. */
  get percent() {
    if (this.#image === null) return null;
    return Math.round(this.#fit * this.#view.zoom * 100);
  }

  /** Stop observing; the pane is not used again. */
  close() {
    this.#resize.disconnect();
  }

  /**
   * Show an image: the file when it is decoded, until then its thumbnail. With `keepView` it is
   * zoomed as the one before. Resolves to false when it could not be loaded, and to true also when
   * a later call has overtaken this one.
   */
  async show({ url, thumbnailURL, alt, width, height }, { keepView = false } = {}) {
    const turn = ++this.#turn;
    if (!keepView) this.#view = FIT;
    this.note.hidden = true;
    if (width && height) this.#setSize(width, height);
    const image = new Image();
    image.alt = alt;
    image.draggable = false;
    image.className = "zp-image";
    image.decoding = "sync";
    image.src = url;
    const slow = setTimeout(() => {
      if (turn === this.#turn) this.#showPlaceholder(thumbnailURL, alt, Boolean(width && height));
    }, 80);
    try {
      await image.decode();
    } catch {
      clearTimeout(slow);
      if (turn !== this.#turn) return true;
      this.say(t("viewer_load_failed"));
      return false;
    }
    clearTimeout(slow);
    if (turn !== this.#turn) return true;
    this.element.classList.remove("zp-busy");
    this.#setSize(image.naturalWidth, image.naturalHeight);
    this.#put(image);
    this.#map.show(thumbnailURL || url);
    return true;
  }

  /** Show words in place of an image. */
  say(text) {
    this.#turn += 1;
    this.#view = FIT;
    this.element.classList.remove("zp-busy");
    this.#put(null);
    this.note.textContent = text;
    this.note.hidden = false;
  }

  zoomBy(factor, at = null) {
    this.zoomTo(this.#view.zoom * factor, at);
  }

  zoomIn() {
    this.zoomBy(STEP);
  }

  zoomOut() {
    this.zoomBy(1 / STEP);
  }

  fit() {
    this.#change(FIT);
  }

  /** One pixel of the file on one pixel of the page. */
  actual() {
    this.zoomTo(1 / this.#fit);
  }

  /** Zoom so that the point of the pane (in pixels from its middle) stays where it is. */
  zoomTo(zoom, at = null) {
    const wanted = Math.min(Math.max(zoom, Math.min(1, 1 / this.#fit)), Math.max(4, 4 / this.#fit));
    const point = at ?? { x: 0, y: 0 };
    const before = this.#drawn(this.#view.zoom);
    const after = this.#drawn(wanted);
    this.#change({
      zoom: wanted,
      x: this.#view.x + point.x / before.width - point.x / after.width,
      y: this.#view.y + point.y / before.height - point.y / after.height,
    });
  }

  /** Move the image by pixels of the page. */
  panBy(dx, dy) {
    const drawn = this.#drawn(this.#view.zoom);
    this.#change({
      ...this.#view,
      x: this.#view.x - dx / drawn.width,
      y: this.#view.y - dy / drawn.height,
    });
  }

  /** Take over a view without telling it on. */
  follow(view) {
    this.#view = this.#within(view);
    this.#draw();
  }

  #change(view) {
    if (this.#image === null) return;
    this.#view = this.#within(view);
    this.#draw();
    this.onView(this.#view);
  }

  #drawn(zoom) {
    const scale = this.#fit * zoom;
    return { width: this.#size.width * scale, height: this.#size.height * scale };
  }

  #within({ zoom, x, y }) {
    const drawn = this.#drawn(zoom);
    const keep = (value, whole, seen) => {
      const half = seen / whole / 2;
      return half >= 0.5 ? 0.5 : Math.min(Math.max(value, half), 1 - half);
    };
    return {
      zoom,
      x: keep(x, drawn.width, this.element.clientWidth || 1),
      y: keep(y, drawn.height, this.element.clientHeight || 1),
    };
  }

  #setSize(width, height) {
    this.#size = { width, height };
    this.#measure();
  }

  #measure() {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0 || clientHeight === 0) return;
    const { width, height } = this.#size;
    this.#fit = Math.min(clientWidth / width, clientHeight / height, LARGEST_FIT);
    this.follow(this.#view);
    this.onView(this.#view);
  }

  #draw() {
    const { zoom, x, y } = this.#view;
    const drawn = this.#drawn(zoom);
    const { clientWidth, clientHeight } = this.element;
    const { style } = this.holder;
    style.width = `${this.#drawn(1).width}px`;
    style.height = `${this.#drawn(1).height}px`;
    const left = clientWidth / 2 - x * drawn.width;
    const top = clientHeight / 2 - y * drawn.height;
    style.transform = `translate(${left}px, ${top}px) scale(${zoom})`;
    this.element.classList.toggle("zp-zoomed", zoom > 1.001);
    this.#map.draw(this.#view, {
      width: Math.min(clientWidth / drawn.width, 1),
      height: Math.min(clientHeight / drawn.height, 1),
    });
  }

  #put(image) {
    this.#image = image;
    this.holder.replaceChildren(...(image ? [image] : []));
    this.#draw();
    this.onView(this.#view);
  }

  #showPlaceholder(thumbnailURL, alt, sized) {
    this.element.classList.add("zp-busy");
    if (!thumbnailURL || !sized) {
      this.#put(null);
      return;
    }
    const image = new Image();
    image.alt = alt;
    image.draggable = false;
    image.className = "zp-image zp-thumbnail";
    image.src = thumbnailURL;
    this.#put(image);
  }

  /** A small map of the whole image: a click goes there, so nobody has to drag. */
  #navigator() {
    const picture = new Image();
    picture.alt = "";
    picture.draggable = false;
    const frame = h("span", { class: "zp-frame" });
    const element = h(
      "div",
      { class: "zp-map", title: t("viewer_map"), "aria-hidden": "true" },
      picture,
      frame,
    );
    element.addEventListener("pointerdown", (event) => event.stopPropagation());
    element.addEventListener("dblclick", (event) => event.stopPropagation());
    element.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      const y = (event.clientY - box.top) / box.height;
      this.#change({ ...this.#view, x, y });
    });
    return {
      element,
      show: (url) => {
        picture.src = url;
      },
      draw: ({ x, y }, seen) => {
        frame.style.left = `${(x - seen.width / 2) * 100}%`;
        frame.style.top = `${(y - seen.height / 2) * 100}%`;
        frame.style.width = `${seen.width * 100}%`;
        frame.style.height = `${seen.height * 100}%`;
      },
    };
  }

  #fromMiddle({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  }

  #onWheel(event) {
    if (this.#image === null) return;
    event.preventDefault();
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    // A trackpad's pinch arrives as a wheel with Ctrl, in small steps.
    const speed = event.ctrlKey ? 0.01 : 0.002;
    this.zoomBy(Math.exp(-Math.max(-300, Math.min(300, pixels)) * speed), this.#fromMiddle(event));
  }

  #onDoubleClick(event) {
    if (this.#image === null) return;
    if (this.#view.zoom > 1.001) this.fit();
    else this.zoomTo(Math.max(1 / this.#fit, 2), this.#fromMiddle(event));
  }

  #onDown(event) {
    if (event.button !== 0 || this.#image === null) return;
    if (this.#pointers.size === 0) this.#moved = false;
    this.#pointers.set(event.pointerId, {
      x: event.clientX,
      y: event.clientY,
      startX: event.clientX,
      startY: event.clientY,
    });
    this.element.setPointerCapture(event.pointerId);
    this.element.classList.add("zp-held");
  }

  #onMove(event) {
    const held = this.#pointers.get(event.pointerId);
    if (!held) return;
    const others = [...this.#pointers.entries()].filter(([id]) => id !== event.pointerId);
    const now = { ...held, x: event.clientX, y: event.clientY };
    if (others.length === 0) {
      if (this.#view.zoom > 1.001) this.panBy(now.x - held.x, now.y - held.y);
    } else {
      const other = others[0][1];
      const gap = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
      this.panBy((now.x - held.x) / 2, (now.y - held.y) / 2);
      this.zoomBy(gap(now) / gap(held), this.#fromMiddle(middle));
      this.#moved = true;
    }
    this.#pointers.set(event.pointerId, now);
  }

  #onUp(event) {
    const held = this.#pointers.get(event.pointerId);
    if (!held) return;
    this.#pointers.delete(event.pointerId);
    if (this.#pointers.size === 0) this.element.classList.remove("zp-held");
    const dx = held.x - held.startX;
    const swiped = Math.abs(dx) > SWIPE_PX && Math.abs(dx) > 2 * Math.abs(held.y - held.startY);
    const alone = this.#pointers.size === 0 && !this.#moved && event.type === "pointerup";
    if (swiped && alone && event.pointerType === "touch" && this.#view.zoom <= 1.001) {
      this.onSwipe(dx < 0 ? 1 : -1);
    }
  }
}
