// As much of a browser as the report's page needs, to run its script without one: elements that remember what they were given, and a Chart that
// remembers its configuration.
class Element {
  constructor(tag) {
    Object.assign(this, {tag, attributes: {}, children: [], dataset: {}, style: {}, listeners: {}});
    this.classList = {add() {}, remove() {}};
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }
  append(...children) {
    for (const child of children) {
      if (!(child instanceof Element) && typeof child !== 'string') throw new Error(`<${this.tag}> was given ${child}`);
      this.children.push(child);
    }
  }
  replaceChildren(...children) {
    this.children = [];
    this.append(...children);
  }
  set textContent(text) {
    this.replaceChildren(text);
  }
  get textContent() {
    return this.children.map((child) => typeof child === 'string' ? child : child.textContent).join('');
  }
  set innerHTML(_) {
    throw new Error('markup from text');
  }
  addEventListener(type, listener) {
    this.listeners[type] = listener;
  }
  *all() {
    yield this;
    for (const child of this.children) if (child instanceof Element) yield* child.all();
  }
}

const named = Object.fromEntries(['choices', 'contents', 'content', 'foot', 'data'].map((id) => [id, new Element('div')]));
const skip = new Element('a');
skip.dataset.word = 'skip';
globalThis.document = {
  documentElement: new Element('html'),
  body: new Element('body'),
  title: '',
  createElement: (tag) => new Element(tag),
  createElementNS: (_, tag) => new Element(tag),
  getElementById: (id) => named[id] ?? null,
  querySelectorAll: () => [skip],
};
globalThis.matchMedia = () => ({matches: false, addEventListener() {}});
globalThis.localStorage = {
  getItem() {
    throw new Error('no storage for files');
  },
  setItem() {
    throw new Error('no storage for files');
  },
};
globalThis.location = {search: '', hash: ''};
globalThis.navigator = {language: 'en-GB'};
globalThis.URLSearchParams = class {
  get() {
    return null;
  }
};
globalThis.getComputedStyle = () => ({getPropertyValue: () => '#123456', fontFamily: 'x'});
globalThis.addEventListener = () => {};
globalThis.alive = new Set();
globalThis.Chart = class {
  static defaults = {font: {}};
  constructor(canvas, config) {
    Object.assign(this, {canvas, config});
    alive.add(this);
  }
  destroy() {
    alive.delete(this);
  }
};

// What the page shows now, as plain values.
globalThis.shown = () => {
  const elements = [...named.content.all()];
  const rowsOf = (table, part) => [...table.children.find((e) => e.tag === part).all()].filter((e) => e.tag === 'tr')
    .map((row) => row.children.map((cell) => cell.textContent));
  return JSON.stringify({
    title: document.title,
    lang: document.documentElement.lang,
    headings: elements.filter((e) => /^h[123]$/.test(e.tag)).map((e) => e.textContent),
    contents: [...named.contents.all()].filter((e) => e.tag === 'a').map((e) => [e.attributes.href, e.textContent]),
    ids: elements.map((e) => e.attributes.id).filter((id) => id !== undefined),
    tables: elements.filter((e) => e.tag === 'table' && e.attributes['aria-labelledby'])
      .map((e) => [e.attributes['aria-labelledby'], {head: rowsOf(e, 'thead'), body: rowsOf(e, 'tbody')}]),
    alert: elements.filter((e) => e.attributes.role === 'alert').map((e) => e.textContent),
    text: named.content.textContent,
    foot: named.foot.textContent,
    tags: [...new Set(elements.map((e) => e.tag))],
    charts: [...alive].map((chart) => ({
      label: chart.canvas.attributes['aria-label'],
      type: chart.config.type,
      series: chart.config.data.datasets.map((set) => ({label: set.label, data: set.data})),
      labels: chart.config.data.labels ?? null,
    })),
  });
};
globalThis.press = (label) => {
  const button = [...named.choices.all()].find((e) => e.tag === 'button' && e.textContent === label);
  button.listeners.click();
};
