'use strict';
// Runs the status page's script on a page of nothing but texts: node status_page_run.js SCRIPT <ANSWERS
// ANSWERS is an object: what each path answers. Prints each card of #rollouts as its pieces of text, [class, text].
const fs = require('fs');

const make = (id) => ({
  id, className: '', own: '', kids: [], hidden: false, listeners: {},
  set textContent(text) { this.own = text; this.kids = []; },
  append(...kids) { this.kids.push(...kids); },
  replaceChildren(...kids) { this.own = ''; this.kids = kids; },
  setAttribute(name, value) { if (name === 'class') this.className = value; },
  addEventListener(name, then) { this.listeners[name] = then; },
  focus() {},
});
const pieces = (e, cls) => {
  if (typeof e === 'string') return [[cls, e]];
  const own = e.own === '' ? [] : [[e.className, e.own]];
  return own.concat(...e.kids.map((k) => pieces(k, e.className)));
};

const answers = JSON.parse(fs.readFileSync(0, 'utf8'));
const byId = {};
globalThis.document = {
  hidden: false,
  getElementById: (id) => (byId[id] = byId[id] || make(id)),
  createElement: () => make(''),
  createElementNS: () => make(''),
  addEventListener: () => {},
};
globalThis.sessionStorage = { getItem: () => 'a token', setItem: () => {}, removeItem: () => {} };
// One poll is looked at; the next would begin where this one ended.
globalThis.setTimeout = () => {
  if (byId.link.own.startsWith('no answer')) { console.error(byId.link.own); process.exit(1); }
  console.log(JSON.stringify(byId.rollouts.kids.map((card) => pieces(card, ''))));
  return 0;
};
globalThis.clearTimeout = () => {};
globalThis.fetch = async (path) => ({ ok: path in answers, status: path in answers ? 200 : 404, json: async () => answers[path] });
require('vm').runInThisContext(fs.readFileSync(process.argv[2], 'utf8'));
