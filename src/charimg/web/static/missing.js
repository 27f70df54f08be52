// A file that is not where its record says: told, with a way back, instead of a broken picture.

import { actions } from "./actions.js";
import { t } from "./config.js";
import { button, h, icon } from "./dom.js";
import { store } from "./state.js";

/** The properties of a picture; without its thumbnail it shows the file, without that it tells. */
export const pictured = (image, url) => ({
  src: url,
  onerror({ target }) {
    if (url === image.media.url || target.dataset.whole) store.lose(image);
    else {
      target.dataset.whole = "1";
      target.src = image.media.url;
    }
  },
});

/** Why there is no picture. */
export const whyMissing = (image) =>
  t(store.busy.has(image.id) ? "bringing_back" : image.media ? "missing_here" : "missing");

/** What stands in the place of the picture. */
export function missing(image, { tabindex = null } = {}) {
  const busy = store.busy.has(image.id);
  return h(
    "div",
    { class: "ci-thumb failed" },
    icon(busy ? "spinner" : "broken"),
    h("p", { class: "ci-reason", text: whyMissing(image) }),
    button(
      {
        text: t("bring_back"),
        icon: "retry",
        kind: "small",
        tabindex,
        "data-part": "bring-back",
        "aria-disabled": busy ? "true" : null,
      },
      () => actions.bringBack(image),
    ),
  );
}
