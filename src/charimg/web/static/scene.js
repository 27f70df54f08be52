// The scene panel: context, type, mood, lighting, and who else is in it.

import { t } from "./config.js";
import { $, announce, isOff, setOff } from "./dom.js";
import { jobs, run, running, subscribe } from "./operations.js";
import { progressOf, showError, showFailure } from "./panel.js";
import { isUnlinked } from "./reference.js";
import { store } from "./state.js";
import { toast } from "./toast.js";

let sending = false;

const context = () => $("ci-context");

function check() {
  const without = store.phase === "ready" && store.current === null;
  $("ci-scene-none").hidden = !without;
  setOff(
    $("ci-scene-go"),
    sending || running() !== null || context().value.trim() === "" || isUnlinked() || without,
  );
}

function body() {
  const asked = { sceneContext: context().value };
  for (const name of ["sceneType", "mood", "lighting", "environment"]) {
    const value = $("ci-scene-form").elements[name].value.trim();
    if (value) asked[name] = value;
  }
  const others = $("ci-scene-form")
    .elements.additionalCharacters.value.split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  if (others.length) asked.additionalCharacters = others;
  return asked;
}

async function generate(event) {
  event?.preventDefault();
  const blank = context().value.trim() === "";
  $("ci-context-error").hidden = !blank;
  if (blank) context().setAttribute("aria-invalid", "true");
  else context().removeAttribute("aria-invalid");
  if (isOff($("ci-scene-go"))) {
    if (blank) context().focus();
    return;
  }
  sending = true;
  check();
  showError($("ci-scene-error"), null);
  try {
    const said = await run("scene", body());
    for (const { message } of said.warnings ?? [])
      toast({ text: message, kind: "warn", seconds: 0 });
    toast({ text: t("done_scene"), kind: "ok" });
  } catch (error) {
    showFailure($("ci-scene-error"), error, () => generate());
  } finally {
    sending = false;
    check();
  }
}

/** Wire the panel that the shell holds. `open` unfolds it. */
export function mountScene(open) {
  $("ci-scene-form").addEventListener("submit", generate);
  context().addEventListener("input", () => {
    $("ci-context-error").hidden = true;
    context().removeAttribute("aria-invalid");
    check();
  });
  document.addEventListener("charimg:reuse", ({ detail: image }) => {
    if (image.kind !== "scene") return;
    const before = context().value;
    open(true);
    context().value = image.prompt;
    check();
    context().focus();
    if (before.trim() === "" || before === image.prompt) {
      announce(t("prompt_reused"));
      return;
    }
    toast({
      text: t("prompt_reused"),
      seconds: 10,
      action: {
        text: t("undo"),
        run() {
          context().value = before;
          check();
        },
      },
    });
  });
  store.subscribe(check);
  subscribe(() => {
    progressOf(
      $("ci-scene-progress"),
      [...jobs.values()].find(({ kind }) => kind === "scene"),
    );
    check();
  });
  check();
}
