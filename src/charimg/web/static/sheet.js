// All images of a character on one sheet, and the sheet as a file to keep.

import { config, fmt, t } from './config.js';
import { h } from './dom.js';
import { groupsOf } from './contents.js';
import { altOf, failureText } from './describe.js';
import { openOverlay, textButton } from './overlay.js';
import { ORIGIN, fileName, save } from './save.js';

/**
 * Open the contact sheet.
 *
 * @param images The images, or a function that gives them or a promise of them.
 * @param character {name}; it names the files.
 * @param returnFocus Gives the element that gets the focus when the opener is gone.
 * @returns {closed: Promise, close()}
 */
export async function openContactSheet({ images, character, returnFocus = null }) {
  const name = character?.name || t('sheet_nameless');
  const title = t('sheet_title', { name });
  const overlay = await openOverlay({ name: 'sheet', title, returnFocus });
  const status = h('div', { class: 'cs-status', role: 'status' });
  const sheet = h('div', { class: 'cs-sheet', tabindex: '0', role: 'region', 'aria-label': title });
  overlay.body.append(status, sheet);
  const list = await (typeof images === 'function' ? images() : images);
  const groups = groupsOf(list);
  sheet.append(
    ...(groups.length > 0 ? groups.map(section) : [h('p', { class: 'cs-empty', text: t('sheet_empty') })]),
  );
  const exporter = new Exporter({ groups, name, title, count: list.length, status });
  if (groups.length > 0) overlay.tools.append(...exporter.buttons);
  overlay.closed.then(() => exporter.cancel());
  return { closed: overlay.closed, close: overlay.close };
}

function section({ title, entries }) {
  return h(
    'section',
    { class: 'cs-group' },
    h('h3', null, title, ' ', h('small', { text: t('sheet_count', { count: entries.length }) })),
    h('ul', { class: 'cs-grid' }, entries.map(card)),
  );
}

function card({ image, title, lines, failed }) {
  return h(
    'li',
    null,
    h(
      'figure',
      null,
      failed ? h('p', { class: 'cs-slot', text: failureText(image) }) : picture(image),
      h('figcaption', null, h('strong', { text: title }), ...lines.map((text) => h('span', { text }))),
    ),
  );
}

function picture(image) {
  const { media } = image;
  return h('img', {
    src: media.thumbnailURL || media.url,
    alt: altOf(image),
    loading: 'lazy',
    decoding: 'async',
    width: media.width || 3,
    height: media.height || 4,
  });
}

class Exporter {
  #sheet;
  #status;
  #aborter = null;
  #bar = null;

  constructor({ status, ...sheet }) {
    this.#sheet = sheet;
    this.#status = status;
    this.full = h('input', { type: 'checkbox' });
    this.buttons = [
      textButton(t('sheet_png'), () => this.#run(() => this.#png()), { sign: 'save' }),
      textButton(t('sheet_html'), () => this.#run(() => this.#html()), { sign: 'save' }),
      h(
        'label',
        { class: 'ov-check', title: t('sheet_full_hint') },
        this.full,
        h('span', { text: t('sheet_full') }),
      ),
    ];
  }

  cancel() {
    this.#aborter?.abort();
  }

  async #run(make) {
    this.cancel();
    const aborter = new AbortController();
    this.#aborter = aborter;
    const { signal } = aborter;
    this.#bar = this.#progress();
    try {
      const { files, unread, total } = await make(signal);
      if (signal.aborted) return;
      if (total > 0 && unread.length === total) {
        this.#tell('sheet_none_read', { reason: reasonOf(unread) }, 'cs-bad');
        return;
      }
      for (const [name, blob] of files) save(blob, name);
      const saved = files.map(([name, blob]) => `${name} (${fmt.size(blob.size)})`).join(', ');
      if (unread.length === 0) this.#tell('sheet_saved', { files: saved }, 'cs-good');
      else {
        this.#tell(
          'sheet_saved_partly',
          { files: saved, count: unread.length, reason: reasonOf(unread) },
          'cs-warn',
        );
      }
    } catch (error) {
      if (signal.aborted) this.#status.replaceChildren();
      else this.#tell('sheet_export_failed', { reason: error.message }, 'cs-bad');
    } finally {
      if (this.#aborter === aborter) this.#aborter = null;
    }
  }

  async #png() {
    const { drawSheets } = await import('./sheetpng.js');
    const { blobs, unread } = await drawSheets(this.#given());
    const files = blobs.map((blob, index) => {
      const part = blobs.length > 1 ? ` ${index + 1}` : '';
      return [fileName(`${this.#sheet.name} ${t('sheet_file')}${part}`, 'png'), blob];
    });
    return { files, unread, total: this.#total };
  }

  async #html() {
    const { writeSheet } = await import('./sheethtml.js');
    const { lang } = config;
    const { blob, unread } = await writeSheet({ ...this.#given(), lang, full: this.full.checked });
    const name = fileName(`${this.#sheet.name} ${t('sheet_file')}`, 'html');
    return { files: [[name, blob]], unread, total: this.#total };
  }

  get #total() {
    return this.#sheet.groups.flatMap(({ entries }) => entries).filter(({ failed }) => !failed).length;
  }

  #given() {
    const { groups, title, count } = this.#sheet;
    const date = fmt.date(new Date().toISOString());
    return {
      groups,
      title,
      subtitle: [date, t('sheet_count', { count })].join(' · '),
      signal: this.#aborter.signal,
      onProgress: (done, total) => this.#advance(done, total),
    };
  }

  #advance(done, total) {
    this.#bar.max = total;
    this.#bar.value = done;
    this.#bar.nextElementSibling.textContent = t('sheet_reading', { done, total });
  }

  #progress() {
    const bar = h('progress', { max: '1', value: 0, 'aria-label': t('sheet_progress') });
    const words = h('span', { 'aria-hidden': 'true' });
    const stop = textButton(t('viewer_cancel'), () => this.cancel(), { class: 'ov-button ov-small' });
    this.#status.className = 'cs-status';
    this.#status.replaceChildren(bar, words, stop);
    return bar;
  }

  #tell(key, params, className) {
    this.#status.className = `cs-status ${className}`;
    this.#status.replaceChildren(h('p', { text: t(key, params) }));
  }
}

/** Why images could not be read, and what can be done about it. */
function reasonOf(unread) {
  const foreign = unread.filter(({ problem }) => problem === ORIGIN);
  if (foreign.length === 0) return t('sheet_reason_network');
  const origins = foreign.map(({ entry }) => new URL(entry.image.media.url, location.href).origin);
  return t('sheet_reason_origin', { origin: [...new Set(origins)].join(', ') });
}
