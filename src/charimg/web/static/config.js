// What the shell tells the page, its texts, and how dates and sizes are written.

export const config = JSON.parse(document.getElementById("charimg-config").textContent);

const lang = config.lang || undefined;
const plurals = new Intl.PluralRules(lang);
const numbers = new Intl.NumberFormat(lang);
const decimals = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
const moments = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
const SHORT = { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
const thisYear = new Intl.DateTimeFormat(lang, SHORT);
const otherYear = new Intl.DateTimeFormat(lang, { ...SHORT, year: "numeric" });

/**
 * The text of a key, with its {holes} filled. A number goes in as the reader's language writes it.
 * With `params.count`, the key's plural form (`key_one`, `key_other`, …) is taken.
 */
export function t(key, params = {}) {
  const { texts } = config;
  let text = texts[key];
  if (params.count !== undefined) {
    text = texts[`${key}_${plurals.select(params.count)}`] ?? texts[`${key}_other`] ?? text;
  }
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (hole, name) => {
    const value = params[name];
    if (value === undefined || value === null) return hole;
    return typeof value === "number" ? numbers.format(value) : String(value);
  });
}

export const fmt = {
  number: (value) => numbers.format(value),

  /** An ISO time as a medium date with hours and minutes; empty when there is none. */
  date(iso) {
    const time = new Date(iso);
    return iso && !Number.isNaN(time.valueOf()) ? moments.format(time) : "";
  },

  /** The same, as short as it can be: the year only if it is another one. */
  moment(iso) {
    const time = new Date(iso);
    if (!iso || Number.isNaN(time.valueOf())) return "";
    return (time.getFullYear() === new Date().getFullYear() ? thisYear : otherYear).format(time);
  },

  /** Bytes as B, kB, MB or GB. */
  size(bytes) {
    if (bytes === null || bytes === undefined) return "";
    const units = ["B", "kB", "MB", "GB", "TB"];
    let value = bytes;
    let unit = 0;
    while (value >= 1000 && unit < units.length - 1) {
      value /= 1000;
      unit += 1;
    }
    return `${(value < 10 && unit ? decimals : numbers).format(
      unit ? Math.round(value * 10) / 10 : value,
    )} ${units[unit]}`;
  },

  /** Milliseconds as ms, s or min. */
  duration(ms) {
    if (ms === null || ms === undefined) return "";
    if (ms < 1000) return `${numbers.format(Math.round(ms))} ms`;
    const seconds = ms / 1000;
    if (seconds < 60) return `${decimals.format(seconds)} s`;
    return `${numbers.format(Math.floor(seconds / 60))} min ${Math.round(seconds % 60)} s`;
  },

  /** Width × height; empty when unknown. */
  pixels: (width, height) =>
    width && height ? `${numbers.format(width)} × ${numbers.format(height)}` : "",
};

const KINDS = { reference: "kind_reference", portfolioItem: "kind_portfolio", scene: "kind_scene" };
const STATUSES = { succeeded: "status_succeeded", failed: "status_failed" };

/** The kind of an image in words. Kinds are open: a newer one is shown as it is. */
export const kindText = (kind) => (KINDS[kind] ? t(KINDS[kind]) : String(kind));

/** The status of an image in words; open, like the kind. */
export const statusText = (status) => (STATUSES[status] ? t(STATUSES[status]) : String(status));

/** The beginning of a text, cut at a whole character. */
export function brief(text, length = 80) {
  const all = [...text.slice(0, 2 * length)];
  return all.length > length || text.length > 2 * length
    ? `${all.slice(0, length).join("")}…`
    : text;
}

/** What in a file says that a model has drawn it; nothing where nothing does. */
export function aiOf({ metrics }) {
  const { digitalSourceType: type, generator } = metrics?.provenance ?? {};
  return /rainedAlgorithmicMedia$/.test(type) ? type : generator;
}
