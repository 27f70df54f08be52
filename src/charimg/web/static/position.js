// Where the turntable stands: which portfolio, lens, place on the ring, and shot. Without DOM.

import { SHOWN, around, likest, nearest, setsOf, spinOf } from "./spin.js";

const NEUTRAL = Object.freeze({ elevation: 0, expression: "neutral", crop: null });

export class Position {
  /** Portfolio runs, the newest first. */
  sets = [];
  setId = null;
  spin = { lenses: [], unplaced: [] };
  lensIndex = 0;
  stopIndex = 0;
  viewIndex = 0;
  /** What is looked for at each place: what the reader chose last. */
  #wanted = NEUTRAL;

  get lens() {
    return this.spin.lenses[this.lensIndex] ?? null;
  }

  get stops() {
    return this.lens?.stops ?? [];
  }

  get stop() {
    return this.stops[this.stopIndex] ?? null;
  }

  get view() {
    return this.stop?.views[this.viewIndex] ?? null;
  }

  /**
   * Take in the images as they are now, and stay where the camera is; or go to the image `startId`.
   * `setId` chooses another portfolio.
   */
  read(images, { startId = null, setId = this.setId } = {}) {
    const { lens, stop, view } = this;
    this.sets = setsOf(images);
    const holds = (set) => set.images.some(({ id }) => id === startId);
    const set = this.sets.find(holds) ?? this.sets.find(({ id }) => id === setId) ?? this.sets[0];
    this.setId = set?.id ?? null;
    this.spin = set ? spinOf(set.images) : { lenses: [], unplaced: [] };
    if (this.#find(({ image }) => image?.id === startId)) {
      this.#want(this.view.camera);
      return;
    }
    const same = ({ camera }, of) =>
      of.lensMm === lens?.lensMm &&
      camera.azimuth === stop?.azimuth &&
      camera.name === view?.camera.name;
    if (view && this.#find(same)) return;
    const { lenses } = this.spin;
    const kept = lenses.findIndex(({ lensMm }) => lens && lensMm === lens.lensMm);
    this.#enter(kept >= 0 ? kept : fullest(lenses), stop?.azimuth ?? 0);
  }

  /** Go some places around the ring. */
  step(by) {
    return this.goTo(around(this.stops, this.stopIndex, by));
  }

  /** Go to the place nearest to an azimuth. */
  turnTo(azimuth) {
    return this.goTo(nearest(this.stops, azimuth));
  }

  /** Go to a place; tells whether that is another one. */
  goTo(index) {
    if (!this.stops[index] || index === this.stopIndex) return false;
    this.stopIndex = index;
    this.viewIndex = likest(this.stop, this.#wanted);
    return true;
  }

  /** Look at another shot of the same place; tells whether there is one. */
  pick(index) {
    if (!this.stop?.views[index] || index === this.viewIndex) return false;
    this.viewIndex = index;
    this.#want(this.view.camera);
    return true;
  }

  /** Take another lens, and look from where the camera stands, as near as there is a shot. */
  takeLens(index) {
    this.#enter(index, this.stop?.azimuth ?? 0);
  }

  #enter(lensIndex, azimuth) {
    this.lensIndex = lensIndex;
    this.stopIndex = Math.max(nearest(this.stops, azimuth), 0);
    this.viewIndex = this.stop ? likest(this.stop, this.#wanted) : 0;
  }

  #find(test) {
    for (const [lensIndex, lens] of this.spin.lenses.entries()) {
      for (const [stopIndex, { views }] of lens.stops.entries()) {
        const viewIndex = views.findIndex((view) => test(view, lens));
        if (viewIndex < 0) continue;
        Object.assign(this, { lensIndex, stopIndex, viewIndex });
        return true;
      }
    }
    return false;
  }

  #want({ elevation, expression, crop }) {
    this.#wanted = { elevation, expression: expression ?? "neutral", crop: crop ?? null };
  }
}

/** The lens with the most pictures is the one to begin with. */
function fullest(lenses) {
  const shown = ({ stops }) =>
    stops.flatMap(({ views }) => views).filter(({ state }) => state === SHOWN).length;
  return lenses.reduce(
    (best, lens, index) => (shown(lens) > shown(lenses[best]) ? index : best),
    0,
  );
}
