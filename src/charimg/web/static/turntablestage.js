// What the turntable shows: the picture, or why there is none; dragged to turn.

import { t } from "./config.js";
import { h, isOff, setOff } from "./dom.js";
import { altOf, failureText } from "./describe.js";
import { Frames } from "./frames.js";
import { icon } from "./icons.js";
import { textButton } from "./overlay.js";
import { FAILED, MISSING, SHOWN } from "./spin.js";

/** A drag over the whole stage turns the character so far. */
const DEGREES_PER_STAGE = 300;

export class Stage {
  #frames = new Frames();
  #slot = h("div", { class: "tt-slot", hidden: true });
  #retry;
  #shown;

  /**
   * @param retry Called with a failed image; without it there is no button.
   * @param onGrab Called when a drag begins; gives the azimuth from where it turns, or null.
   * @param onTurn Called with the azimuth that the drag leads to.
   * @param onRelease Called when it ends.
   */
  constructor({ retry, onGrab, onTurn, onRelease }) {
    this.#retry = retry;
    this.element = h("div", { class: "tt-stage" }, this.#frames.element, this.#slot);
    this.#listen({ onGrab, onTurn, onRelease });
  }

  /** Settles when what was asked for last is to be seen. */
  get settled() {
    return this.#frames.shown;
  }

  /** Show a view; nothing stirs when it is the one that is there. */
  show(view) {
    const { image = null, state = null } = view ?? {};
    const before = this.#shown;
    if (before && before.image === image && before.state === state) return;
    this.#shown = { image, state };
    if (state === SHOWN) this.#showImage(image);
    else if (state === MISSING) this.#say("image", t("turntable_missing"));
    else if (state === FAILED) {
      this.#say("warn", t("turntable_failed", { reason: failureText(image) }), image);
    } else this.#say("image", t("turntable_empty"));
  }

  /** Fetch and decode the pictures of these views. */
  prepare(views) {
    const shown = views.filter(({ state }) => state === SHOWN);
    this.#frames.keep(shown.map(({ image }) => image.media.url));
  }

  close() {
    this.#frames.clear();
  }

  async #showImage(image) {
    this.#slot.hidden = true;
    const loaded = await this.#frames.show(image.media.url, altOf(image));
    if (loaded || this.#shown.image !== image) return;
    this.#say("warn", t("viewer_load_failed"));
    // It is asked for again the next time.
    this.#shown = null;
  }

  #say(sign, text, failed = null) {
    this.#frames.hide();
    this.#slot.replaceChildren(icon(sign), h("p", { text }));
    // What was never drawn has no source that could be read again.
    if (failed?.sourceUrl && this.#retry) this.#slot.append(this.#retryButton(failed));
    this.#slot.hidden = false;
  }

  #retryButton(failed) {
    const button = textButton(t("turntable_retry"), async () => {
      if (isOff(button)) return;
      setOff(button, true);
      await this.#retry(failed);
      setOff(button, false);
    });
    return button;
  }

  #listen({ onGrab, onTurn, onRelease }) {
    const { element } = this;
    let drag = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("button")) return;
      const from = onGrab();
      if (from === null) return;
      drag = { id: event.pointerId, x: event.clientX, from };
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (drag?.id !== event.pointerId) return;
      // Pushed to the right, the character turns so that its own right side comes to the front.
      const share = (event.clientX - drag.x) / element.clientWidth;
      onTurn(drag.from + share * DEGREES_PER_STAGE);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      element.addEventListener(end, (event) => {
        if (drag?.id !== event.pointerId) return;
        drag = null;
        onRelease();
      });
    }
  }
}
