// Pictures that follow each other without a flicker: each is decoded before it is shown.

import { h } from "./dom.js";

export class Frames {
  #frames = new Map();
  #turn = 0;
  /** Settles when what was asked for last is shown, or cannot be. */
  shown = Promise.resolve(true);

  constructor() {
    this.element = h("div", { class: "fr" });
  }

  /** Fetch and decode these, and forget all others; what is shown stays until the next is. */
  keep(urls) {
    for (const url of this.#frames.keys()) {
      if (!urls.includes(url)) this.#frames.delete(url);
    }
    for (const url of urls) this.#frame(url);
  }

  /** Show one; the one before stays until it is decoded. Resolves with whether it could be loaded. */
  show(url, alt) {
    const turn = ++this.#turn;
    const frame = this.#frame(url);
    this.element.classList.add("fr-busy");
    this.shown = this.#appear(frame, alt, turn);
    return this.shown;
  }

  async #appear(frame, alt, turn) {
    const loaded = await frame.decode();
    // An image that failed stays failed; the next time it is asked for anew.
    if (!loaded) this.#frames.delete(frame.url);
    if (turn !== this.#turn) return true;
    this.element.classList.remove("fr-busy");
    if (!loaded) return false;
    frame.image.alt = alt;
    // In one go, so that there is no moment without a picture.
    this.element.replaceChildren(frame.image);
    return true;
  }

  /** Show none. */
  hide() {
    this.#turn += 1;
    this.element.classList.remove("fr-busy");
    this.element.replaceChildren();
    this.shown = Promise.resolve(true);
  }

  clear() {
    this.hide();
    this.#frames.clear();
  }

  #frame(url) {
    let frame = this.#frames.get(url);
    if (frame) return frame;
    const image = new Image();
    image.draggable = false;
    image.decoding = "sync";
    image.src = url;
    const decode = () =>
      image.decode().then(
        () => true,
        () => false,
      );
    frame = { url, image, decode };
    this.#frames.set(url, frame);
    // Begins at once; what fails now is asked for again when it is shown.
    decode();
    return frame;
  }
}
