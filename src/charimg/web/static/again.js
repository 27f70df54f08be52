// "Try again" in a panel: what was drawn is fetched or brought in, what may have been is asked about.

import { actions } from "./actions.js";
import { api } from "./api.js";
import { t } from "./config.js";
import { dialog, h } from "./dom.js";
import { mayExist, showError, showFailure } from "./panel.js";
import { store } from "./state.js";
import { failed, toast } from "./toast.js";

/** Try again what ended in an error; `draw` pays for another image. */
export async function tryAgain(place, error, draw) {
  if (error.imageId) {
    const image = store.images.get(error.imageId) ?? { id: error.imageId };
    if (await actions.retry(image)) showError(place, null);
  } else if (error.recoverable && error.operationId) {
    await bringIn(place, error, draw);
  } else if (!mayExist(error) || (await sure())) draw();
}

async function bringIn(place, error, draw) {
  try {
    const { operation, images, message } = await api.recover(error.operationId);
    for (const image of images) store.upsert(image);
    if (operation.state === "done") {
      showError(place, null);
      toast({ text: t("open_stored", { count: images.length }), kind: "ok" });
    } else showFailure(place, Object.assign(error, { message }), draw);
    store.refetch();
  } catch (failure) {
    failed(t("open_not_brought_in"), failure);
  }
}

const sure = () =>
  dialog.confirm({
    title: t("draw_again_title"),
    body: h("p", { text: t("draw_again") }),
    yes: t("draw_again_yes"),
  });
