// The portfolio as a spin: true azimuths, lens by lens; what is missing keeps its place.

import { fmt, t } from "./config.js";
import { h, isOff, setOff } from "./dom.js";
import { altOf, cameraText, failureText, poseText } from "./describe.js";
import { Frames } from "./frames.js";
import { icon } from "./icons.js";
import { iconButton, openOverlay, textButton } from "./overlay.js";
import { Position } from "./position.js";
import { heights, ring } from "./ring.js";
import { MISSING, SHOWN } from "./spin.js";
import { drawLenses, drawViews, legend, notes, ticks, viewText } from "./turntableparts.js";

const SECONDS_PER_STOP = 0.7;
/** A drag over the whole stage turns the character so far. */
const DEGREES_PER_STAGE = 300;
const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Open the turntable.
 *
 * @param images The character's images, or a function that gives them now; others than portfolio
 *   items are left out. Failed ones are marked places.
 * @param startId The image that is shown first.
 * @param store Its `subscribe(fn)` tells when to call `images()` again.
 * @param retry Called with a failed image, from the button in its place.
 * @param returnFocus Gives the element that gets the focus when the opener is gone.
 * @returns {closed: Promise, close()}
 */
export async function openTurntable({
  images,
  startId = null,
  store = null,
  retry = null,
  returnFocus = null,
}) {
  const table = new Turntable({ images, retry });
  const overlay = await openOverlay({
    name: "turntable",
    title: t("turntable_title"),
    returnFocus,
    keys: [
      ["ArrowLeft", "turntable_turn_left", () => table.step(-1)],
      ["ArrowRight", "turntable_turn_right", () => table.step(1)],
      ["ArrowUp", "turntable_view_up", () => table.stepView(-1)],
      ["ArrowDown", "turntable_view_down", () => table.stepView(1)],
      ["Home", "turntable_to_front", () => table.turnTo(0)],
      ["End", "turntable_to_back", () => table.turnTo(180)],
      ["l", "turntable_next_lens", () => table.nextLens()],
      ["p", still.matches ? null : "turntable_play", () => table.toggle()],
      ["e", "turntable_enlarge", () => table.enlarge()],
    ],
  });
  table.open(overlay, startId);
  const unsubscribe = store?.subscribe?.(() => table.read());
  overlay.closed.then(() => {
    unsubscribe?.();
    table.close();
  });
  return { closed: overlay.closed, close: overlay.close };
}

class Turntable {
  #images;
  #retry;
  #overlay = null;
  #at = new Position();
  #frames = new Frames();
  #timer = 0;
  #drag = null;
  #onStill = () => this.#drawPlay();
  #onHidden = () => document.hidden && this.#pause();

  constructor({ images, retry }) {
    this.#images = typeof images === "function" ? images : () => images;
    this.#retry = retry;
    this.slot = h("div", { class: "tt-slot", hidden: true });
    this.stage = h("div", { class: "tt-stage" }, this.#frames.element, this.slot);
    this.where = h("p", { class: "tt-where" });
    this.name = h("p", { class: "tt-name" });
    this.ticks = h("div", { class: "tt-ticks", "aria-hidden": "true" });
    this.slider = h("input", {
      type: "range",
      class: "tt-slider",
      min: "-180",
      max: "180",
      step: "any",
      "aria-label": t("turntable_azimuth"),
      oninput: () => this.turnTo(Number(this.slider.value), { snap: false }),
      onchange: () => this.#drawSlider(),
      onkeydown: (event) => this.#onSliderKey(event),
    });
    this.play = iconButton("play", t("turntable_play"), () => this.toggle());
    this.setChoice = h("select", {
      class: "cm-select",
      "aria-label": t("turntable_set"),
      onchange: () => this.#takeSet(this.setChoice.value),
    });
    this.lenses = h("fieldset", { class: "tt-choice tt-lenses" });
    this.views = h("fieldset", { class: "tt-choice tt-views" });
    this.drawings = h("div", { class: "tt-drawings" });
    this.notes = h("ul", { class: "tt-notes" });
    this.bigger = textButton(t("turntable_enlarge"), () => this.enlarge(), { sign: "zoomin" });
  }

  open(overlay, startId) {
    this.#overlay = overlay;
    const [back, forth] = [
      iconButton("back", t("turntable_turn_left"), () => this.step(-1), { shortcut: "←" }),
      iconButton("forward", t("turntable_turn_right"), () => this.step(1), { shortcut: "→" }),
    ];
    const track = h("div", { class: "tt-track" }, this.slider, this.ticks);
    overlay.body.append(
      h(
        "div",
        { class: "tt-main" },
        this.stage,
        h("div", { class: "tt-caption" }, this.where, this.name),
        h("div", { class: "tt-controls" }, this.play, back, track, forth),
      ),
      h(
        "div",
        { class: "tt-side" },
        this.setChoice,
        this.lenses,
        this.drawings,
        legend(),
        this.views,
        this.bigger,
        this.notes,
      ),
    );
    this.#listen();
    still.addEventListener("change", this.#onStill);
    document.addEventListener("visibilitychange", this.#onHidden);
    this.read({ startId });
  }

  close() {
    this.#pause();
    this.#frames.clear();
    still.removeEventListener("change", this.#onStill);
    document.removeEventListener("visibilitychange", this.#onHidden);
  }

  /** Take in the images as they are now. */
  read(options = {}) {
    this.#at.read(this.#images(), options);
    this.#drawSets();
    this.#drawAll();
  }

  step(by) {
    this.#pause();
    this.#moved(this.#at.step(by));
  }

  turnTo(azimuth, { snap = true, quiet = false } = {}) {
    this.#pause();
    this.#moved(this.#at.turnTo(azimuth), { snap, quiet });
  }

  stepView(by) {
    this.#pick(this.#at.viewIndex + by);
  }

  nextLens() {
    const { length } = this.#at.spin.lenses;
    if (length > 1) this.#takeLens((this.#at.lensIndex + 1) % length);
  }

  toggle() {
    if (still.matches || isOff(this.play)) return;
    if (this.#timer) this.#pause();
    else this.#start();
  }

  async enlarge() {
    const { view, stops } = this.#at;
    if (view?.state !== SHOWN) return;
    this.#pause();
    const { openViewer } = await import("./viewer.js");
    const images = stops.flatMap(({ views }) => views.map(({ image }) => image)).filter(Boolean);
    openViewer({ images, startId: view.image.id });
  }

  #moved(moved, { snap = true, quiet = false } = {}) {
    if (snap) this.#drawSlider();
    if (!moved) return;
    this.#drawStop();
    if (!quiet) this.#tell();
  }

  #takeSet(setId) {
    this.#pause();
    this.read({ setId });
    this.#tell();
  }

  #takeLens(index) {
    this.#pause();
    this.#at.takeLens(index);
    this.#drawAll();
    this.#tell();
  }

  #pick(index) {
    this.#pause();
    this.#moved(this.#at.pick(index));
  }

  #tell() {
    this.#overlay.announce(viewText(this.#at.view));
  }

  #start() {
    this.#timer = setTimeout(() => this.#onBeat(), SECONDS_PER_STOP * 1000);
    this.#drawPlay();
  }

  async #onBeat() {
    const timer = this.#timer;
    this.#moved(this.#at.step(1), { quiet: true });
    await this.#frames.shown;
    // Paused, or closed, meanwhile.
    if (timer === this.#timer) this.#start();
  }

  #pause() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#drawPlay();
  }

  #onSliderKey(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -2, PageUp: 2 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in by) this.step(by[event.key]);
    else if (event.key === "Home") this.#moved(this.#at.goTo(0));
    else if (event.key === "End") this.#moved(this.#at.goTo(this.#at.stops.length - 1));
    else return;
    event.preventDefault();
  }

  #listen() {
    const { stage } = this;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target.closest("button") || !this.#at.stop) return;
      this.#pause();
      this.#drag = { id: event.pointerId, x: event.clientX, from: this.#at.stop.azimuth };
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (this.#drag?.id !== event.pointerId) return;
      // Pushed to the right, the character turns so that its own right side comes to the front.
      const share = (event.clientX - this.#drag.x) / stage.clientWidth;
      this.turnTo(this.#drag.from + share * DEGREES_PER_STAGE, { quiet: true });
    });
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => {
        if (this.#drag?.id !== event.pointerId) return;
        this.#drag = null;
        this.#tell();
      });
    }
  }

  #drawSets() {
    const { sets, setId } = this.#at;
    this.setChoice.hidden = sets.length < 2;
    this.setChoice.replaceChildren(
      ...sets.map(({ id, createdAt, images }) =>
        h("option", {
          value: id,
          text: t("turntable_set_of", { count: images.length, date: fmt.date(createdAt) }),
        }),
      ),
    );
    if (setId !== null) this.setChoice.value = setId;
  }

  #drawAll() {
    drawLenses(this.lenses, this.#at, (index) => this.#takeLens(index));
    const told = notes(this.#at);
    this.notes.hidden = told.length === 0;
    this.notes.replaceChildren(...told);
    this.ticks.replaceChildren(...ticks(this.#at.stops));
    this.#drawSlider();
    this.#drawStop();
    this.#drawPlay();
    const views = this.#at.stops.flatMap((stop) => stop.views);
    this.#frames.keep(
      views.filter(({ state }) => state === SHOWN).map(({ image }) => image.media.url),
    );
  }

  #drawStop() {
    const { lens, stop, stops, stopIndex, view } = this.#at;
    const camera = view?.camera;
    this.where.textContent = camera ? cameraText(camera) : "";
    this.name.textContent = camera
      ? [camera.name, poseText(camera)].filter(Boolean).join(" · ")
      : "";
    this.slider.setAttribute("aria-valuetext", viewText(view));
    this.drawings.replaceChildren();
    if (stop) {
      this.drawings.append(
        ring(lens, stopIndex, (index) => this.turnTo(stops[index].azimuth)),
        heights(lens, camera.elevation),
      );
    }
    for (const [index, tick] of [...this.ticks.children].entries()) {
      tick.classList.toggle("tt-here", index === stopIndex);
    }
    drawViews(this.views, this.#at, (index) => this.#pick(index));
    setOff(this.bigger, view?.state !== SHOWN);
    this.#drawPicture(view);
  }

  #drawPicture(view) {
    if (!view) this.#showSlot("image", t("turntable_empty"));
    else if (view.state === MISSING) this.#showSlot("image", t("turntable_missing"));
    else if (view.state === SHOWN) this.#showImage(view.image);
    else {
      const reason = failureText(view.image);
      this.#showSlot("warn", t("turntable_failed", { reason }), view.image);
    }
  }

  async #showImage(image) {
    this.slot.hidden = true;
    const loaded = await this.#frames.show(image.media.url, altOf(image));
    if (!loaded && this.#at.view?.image === image) this.#showSlot("warn", t("viewer_load_failed"));
  }

  #showSlot(sign, text, failed = null) {
    this.#frames.hide();
    this.slot.replaceChildren(icon(sign), h("p", { text }));
    if (failed && this.#retry) this.slot.append(this.#retryButton(failed));
    this.slot.hidden = false;
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

  #drawSlider() {
    const { stop } = this.#at;
    this.slider.disabled = !stop;
    this.slider.value = String(stop?.azimuth ?? 0);
  }

  #drawPlay() {
    if (still.matches && this.#timer) this.#pause();
    const playing = this.#timer !== 0;
    const label = t(playing ? "turntable_pause" : "turntable_play");
    this.play.hidden = still.matches;
    this.play.setAttribute("aria-label", label);
    this.play.title = `${label} (p)`;
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    setOff(this.play, this.#at.stops.length < 2);
  }
}
