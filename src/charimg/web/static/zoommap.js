// A small map of a zoomed image: a click goes there, so that nobody has to drag.

import { t } from "./config.js";
import { h } from "./dom.js";

export class ZoomMap {
  #picture = new Image();
  #frame = h("span", { class: "zp-frame" });

  /** `onPick(x, y)` tells the point of the image, 0 to 1 each way, that was clicked. */
  constructor(onPick) {
    this.#picture.alt = "";
    this.#picture.draggable = false;
    this.element = h(
      "div",
      { class: "zp-map", title: t("viewer_map"), "aria-hidden": "true" },
      this.#picture,
      this.#frame,
    );
    for (const own of ["pointerdown", "dblclick"]) {
      this.element.addEventListener(own, (event) => event.stopPropagation());
    }
    this.element.addEventListener("click", ({ clientX, clientY }) => {
      const box = this.#picture.getBoundingClientRect();
      onPick((clientX - box.left) / box.width, (clientY - box.top) / box.height);
    });
  }

  show(url) {
    this.#picture.src = url;
  }

  /** Mark what is seen: its middle, and its size as a share of the whole. */
  draw({ x, y }, seen) {
    const { style } = this.#frame;
    style.left = `${(x - seen.width / 2) * 100}%`;
    style.top = `${(y - seen.height / 2) * 100}%`;
    style.width = `${seen.width * 100}%`;
    style.height = `${seen.height * 100}%`;
  }
}
