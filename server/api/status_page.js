'use strict';
// Reads /v1/status every few seconds and draws it, controls and cohorts more seldom. Everything that comes from the server is set as text, never as
// markup.
(() => {
  const POLL_MS = 2000, SLOW_MS = 15000, KEY = 'ringward-token', SVG = 'http://www.w3.org/2000/svg';
  const at = (id) => document.getElementById(id);
  let token = sessionStorage.getItem(KEY) || '';
  let timer = 0;
  let restUntil = 0;

  const el = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = String(text);
    return e;
  };
  const add = (parent, ...kids) => { for (const k of kids) if (k) parent.append(k); return parent; };
  const num = (v) => (typeof v === 'number' && isFinite(v) ? v : 0);
  const shown = (v) => num(v).toLocaleString('en-US');

  const STATES = { ramping: 'go', baking: 'go', passed: 'good', complete: 'good', held: 'held', halted: 'stop',
                   rolling_back: 'stop', rolled_back: 'stop' };
  const OPEN = ['ramping', 'baking', 'held'];
  const pill = (state) => el('span', 'pill ' + (STATES[state] || ''), String(state || '').replace('_', ' '));

  const span = (s) => {
    s = Math.max(0, num(s));
    if (s >= 172800) return Math.round(s / 86400) + ' d';
    if (s >= 7200) return Math.round(s / 3600) + ' h';
    return s >= 120 ? Math.round(s / 60) + ' min' : s + ' s';
  };
  const ago = (t) => {
    const ms = Date.parse(t);
    return isNaN(ms) ? '' : span(Math.round((Date.now() - ms) / 1000)) + ' ago';
  };

  // A bar of parts [{cls, n}] against a whole; the label is for those who do not see it.
  const bar = (parts, whole, label) => {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('class', 'bar');
    svg.setAttribute('viewBox', '0 0 1000 12');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
    let x = 0;
    for (const p of parts) {
      const n = Math.max(0, num(p.n));
      if (n === 0) continue;
      const w = Math.max(3, 1000 * n / whole);
      const r = document.createElementNS(SVG, 'rect');
      r.setAttribute('class', p.cls);
      r.setAttribute('x', String(x)); r.setAttribute('y', '0');
      r.setAttribute('width', String(Math.min(w, 1000 - x))); r.setAttribute('height', '12');
      svg.append(r);
      x = Math.min(1000, x + w);
    }
    return svg;
  };

  const ringRow = (r) => {
    const healthy = num(r.healthy), pending = num(r.pending), dark = num(r.dark);
    const noisy = num(r.storm) + num(r.slow) + num(r.mute);
    const failed = num(r.failed) + num(r.refused) + noisy;
    const whole = Math.max(num(r.members), healthy + pending + failed + dark, 1);
    const counts = el('span', 'counts');
    add(counts, el('span', '', `${shown(healthy)} healthy, ${shown(pending)} pending`));
    if (failed) add(counts, ', ', el('span', 'bad', `${shown(failed)} failed`));
    if (num(r.storm)) add(counts, ', ', el('span', 'bad', `${shown(r.storm)} of them storm`));
    if (num(r.slow)) add(counts, ', ', el('span', 'bad', `${shown(r.slow)} of them slow`));
    if (num(r.mute)) add(counts, ', ', el('span', 'bad', `${shown(r.mute)} of them mute`));
    if (dark) add(counts, ', ', el('span', 'bad', `${shown(dark)} dark`));
    const why = [];
    why.push(`${shown(r.exposed)} of ${shown(r.members)} exposed, window ${shown(r.window && r.window.allowed)}`);
    if (num(r.bake_left_s) > 0 && OPEN.includes(r.state)) why.push(`bakes ${span(r.bake_left_s)} more`);
    if (r.gate && OPEN.includes(r.state)) why.push(`gate ${r.gate}${r.gate_reason ? ': ' + r.gate_reason : ''}`);
    if (r.reason) why.push(r.reason);
    const label = `${r.ring}: ${healthy} healthy, ${pending} pending, ${failed} failed, ${dark} dark of ${whole}`;
    return add(el('div', 'ring'), el('b', '', r.ring), add(el('span'), pill(r.state)),
      bar([{ cls: 'seg-healthy', n: healthy }, { cls: 'seg-pending', n: pending }, { cls: 'seg-failed', n: failed },
           { cls: 'seg-dark', n: dark }], whole, label),
      counts, el('span', 'why muted', why.join(' · ')));
  };

  const haltBox = (h) => {
    const box = el('div', 'halt');
    add(box, el('b', '', `Halted ${ago(h.at)} by ${h.by}`));
    const facts = [];
    if (h.ring) facts.push(`ring ${h.ring}`);
    if (h.term) facts.push(`signal ${h.term}`);
    if (h.cohort) facts.push(`cohort ${[h.cohort.os, h.cohort.arch, h.cohort.engine].join(' / ')}`);
    if (h.failures !== undefined) facts.push(`${shown(h.failures)} failures in ${shown(h.exposures)} exposures`);
    if (h.log_e !== undefined) facts.push(`log E ${h.log_e} against threshold ${h.threshold}`);
    if (h.reason) add(box, el('div', '', h.reason));
    if (facts.length) add(box, el('div', 'muted', facts.join(' · ')));
    return box;
  };

  const evidence = (h) => {
    const log = Number(h.log_e), threshold = Number(h.threshold);
    if (!isFinite(log) || !isFinite(threshold) || threshold <= 0) return null;
    const part = Math.min(1, Math.max(0, log / threshold));
    const row = el('div', 'ring');
    return add(row, el('b', '', 'evidence'), el('span', 'muted', h.ring || ''),
      bar([{ cls: part >= 1 ? 'seg-failed' : 'seg-e', n: part * 1000 }], 1000, `log E ${h.log_e} of ${h.threshold}`),
      el('span', 'counts', `log E ${h.log_e} of ${h.threshold}`));
  };

  const legend = () => {
    const l = el('span', 'legend');
    for (const name of ['healthy', 'pending', 'failed', 'dark']) {
      add(l, add(el('span'), bar([{ cls: 'seg-' + name, n: 1 }], 1, ''), name));
    }
    return l;
  };

  // A rehearsal: what it may reach while it runs, what it showed when it is over. Its counts are those of its last move, so not before.
  const drillBox = (d, over) => {
    const facts = [`ring ${d.ring}, ${shown(d.max)} endpoints at most`];
    if (!over && d.to_halt_s === undefined) facts.push(`halted after ${span(d.within_s)} at the latest`);
    if (over) facts.push(`${shown(d.exposed)} exposed, ${shown(d.reported)} reported, ${shown(d.dark)} dark, ${shown(d.refused)} refused`);
    if (d.to_halt_s !== undefined) facts.push(`halted after ${span(d.to_halt_s)}`);
    if (d.to_back_s !== undefined) facts.push(`all back ${span(d.to_back_s)} later`);
    const box = add(el('div', over ? 'note' : 'note warn'), el('b', '', `${over ? 'A drill' : 'A drill is under way'}, by ${d.by}`));
    if (d.reason) add(box, el('div', '', d.reason));
    return add(box, el('div', 'muted', facts.join(' · ')));
  };

  // Parts of a rollout that are stopped for themselves, whatever the rest does.
  const stopped = (r) => (r.cohorts_halted || []).map((c) => ['Halted in cohort ' + cohortName(c), 'its endpoints get no permits and go back'])
    .concat((r.tenants_held || []).map((t) => ['Held for tenant ' + t, 'its endpoints get no permits']));

  const stoppedBox = (r) => {
    const box = el('div', 'halt');
    for (const [what, then] of stopped(r)) add(box, add(el('div'), el('b', '', what), el('span', 'muted', ' · ' + then)));
    const rest = r.halt ? '' : `the rest is ${String(r.state).replace('_', ' ')} · `;
    return add(box, add(el('div', 'muted', rest + 'what it rests on: '), el('code', '', `ringward explain ${r.family}/${r.release}`)));
  };

  const many = (list, one, more) => (list && list.length ? el('span', 'pill stop', `${list.length} ${list.length === 1 ? one : more}`) : null);

  const card = (r) => {
    const name = `${r.family}/${r.release}`;
    const over = r.state === 'rolled_back';
    const head = add(el('div', 'head'), el('h2', '', name), r.drill ? el('span', over ? 'pill' : 'pill held', 'drill') : null, pill(r.state),
      many(r.cohorts_halted, 'cohort halted', 'cohorts halted'), many(r.tenants_held, 'tenant held', 'tenants held'),
      el('span', 'muted', `before it: ${num(r.previous) ? r.family + '/' + r.previous : 'nothing'} · started ${ago(r.started)}`));
    const c = add(el('article', 'card'), head);
    if (r.reason && !r.halt) add(c, el('div', 'muted', r.reason));
    if (r.drill) add(c, drillBox(r.drill, over));
    if (r.halt) add(c, haltBox(r.halt));
    if (stopped(r).length) add(c, stoppedBox(r));
    for (const ring of Array.isArray(r.rings) ? r.rings : []) add(c, ringRow(ring));
    if (r.health) add(c, evidence(r.health));
    // A halt is to be understood, not watched.
    const next = r.drill && over ? 'drill show' : r.halt ? 'explain' : r.state === 'held' ? 'rollout resume --reason TEXT' :
      OPEN.includes(r.state) || r.state === 'pending' ? 'rollout watch' : 'rollout status';
    return add(c, add(el('div', 'foot'), legend(), el('span', 'grow'), el('code', '', `ringward ${next} ${name}`)));
  };

  // Cohorts as a heat map: the worst first, the rest by the command line.
  const COHORTS_SHOWN = 12;
  const harm = (r) => num(r.failed) + num(r.refused) + num(r.storm) + num(r.slow) + num(r.mute);
  const heat = (r) => (r.halted ? 1e9 : 0) + harm(r) + num(r.dark);
  const cohortName = (c) => [c.os, c.arch, c.engine].filter((w) => w).join(' / ') || 'no name';

  const cohortRow = (x) => {
    const r = x.release, bad = harm(r), dark = num(r.dark), name = cohortName(x.cohort);
    const whole = Math.max(num(r.members), num(r.healthy) + num(r.pending) + bad + dark, 1);
    const counts = add(el('span', 'counts'), `${shown(r.exposed)} of ${shown(r.members)} exposed, ${shown(r.healthy)} healthy`);
    if (bad) add(counts, ', ', el('span', 'bad', `${shown(bad)} failed`));
    if (dark) add(counts, ', ', el('span', 'bad', `${shown(dark)} dark`));
    return add(el('div', 'ring cohort'), el('b', '', name), add(el('span'), pill(r.halted ? 'halted' : r.state)),
      bar([{ cls: 'seg-failed', n: bad }, { cls: 'seg-dark', n: dark }, { cls: 'seg-healthy', n: r.healthy },
           { cls: 'seg-pending', n: r.pending }], whole, `${name}: ${bad} failed, ${dark} dark of ${whole}`),
      counts, el('span', 'why muted', `${r.family}/${r.release} · compared with ${shown(r.control)} untouched endpoints`));
  };

  const drawCohorts = (page) => {
    const rows = (page.cohorts || []).flatMap((c) => (c.releases || []).map((r) => ({ cohort: c.cohort || {}, release: r })))
      .filter((x) => num(x.release.exposed) || num(x.release.refused))
      .sort((a, b) => heat(b.release) - heat(a.release));
    if (!rows.length) { at('cohorts').replaceChildren(); return; }
    const more = rows.length - COHORTS_SHOWN;
    const c = add(el('article', 'card'), add(el('div', 'head'), el('h2', '', 'Cohorts'), el('span', 'muted', 'worst first')));
    for (const x of rows.slice(0, COHORTS_SHOWN)) add(c, cohortRow(x));
    const note = more > 0 || page.next ? el('span', 'muted', `${more > 0 ? shown(more) : 'some'} more not shown`) : null;
    at('cohorts').replaceChildren(add(c, add(el('div', 'foot'), legend(), note, el('span', 'grow'), el('code', '', 'ringward fleet cohorts'))));
  };

  const controlRow = (c) => {
    const whose = c.tenant ? 'tenant ' + c.tenant : 'endpoint ' + c.endpoint;
    const left = c.left_s === undefined ? 'without an end' : num(c.left_s) > 0 ? `${span(c.left_s)} left` : 'over';
    return add(el('div', 'control'), el('b', '', c.control), el('span', '', whose),
      el('span', c.old || c.state !== 'in force' ? 'bad' : 'muted', `${c.state}, ${span(c.age_s)} old${c.old ? ' (OLD)' : ''}, ${left}`),
      el('span', 'muted', `${c.set_by || ''}: ${c.reason || ''}`));
  };

  const drawControls = (answer) => {
    const list = answer.controls || [];
    if (!list.length) { at('controls').replaceChildren(); return; }
    const c = add(el('article', 'card'), add(el('div', 'head'), el('h2', '', 'Holds, delays, pins')));
    for (const one of list.slice(0, 50)) add(c, controlRow(one));
    const note = list.length > 50 ? el('span', 'muted', `${shown(list.length - 50)} more not shown`) : null;
    at('controls').replaceChildren(add(c, add(el('div', 'foot'), note, el('span', 'grow'), el('code', '', 'ringward control list'))));
  };

  const tile = (value, label) => add(el('div', 'tile'), el('b', '', value), el('span', 'muted', label));

  const count = (n, noun, more) => tile(shown(n), noun + (num(n) === 1 ? '' : 's') + (more || ''));

  const draw = (s) => {
    const rollouts = Array.isArray(s.rollouts) ? s.rollouts : [];
    const alarms = Array.isArray(s.alarms) ? s.alarms : [];
    const live = rollouts.filter((r) => !['complete', 'rolled_back'].includes(r.state)).length;
    const trust = at('trust');
    trust.hidden = s.server.trust !== 'development';
    trust.textContent = 'development trust: not for production';
    at('tiles').replaceChildren(count(s.endpoints, 'endpoint'), count(s.releases, 'release'),
      count(live, 'rollout', ' under way'), count(alarms.length, 'alarm'));
    at('alarms').replaceChildren(...alarms.map((a) => el('div', 'alarm', a)));
    const cards = rollouts.slice().reverse().map(card);
    if (!cards.length) cards.push(add(el('article', 'card'), el('span', 'muted', 'No rollout yet. Begin one: '),
      el('code', '', 'ringward rollout start FAMILY/NUMBER')));
    at('rollouts').replaceChildren(...cards);
    at('link').textContent = `version ${s.server.version}, up for ${ago(s.server.started).replace(' ago', '')}`;
  };

  const show = (loggedIn) => {
    at('login').hidden = loggedIn;
    at('board').hidden = !loggedIn;
    at('forget').hidden = !loggedIn;
    if (!loggedIn) { at('trust').hidden = true; at('link').textContent = 'not connected'; }
  };

  const forget = (why) => {
    token = '';
    sessionStorage.removeItem(KEY);
    clearTimeout(timer);
    at('refusal').textContent = why;
    for (const id of ['tiles', 'alarms', 'rollouts', 'cohorts', 'controls']) at(id).replaceChildren();
    restUntil = 0;
    show(false);
    at('token').focus();
  };

  // What changes seldom. A token of a tenant may not see cohorts: the card stays away then.
  const REST = [['/v1/controls', drawControls, 'controls'], ['/v1/fleet/cohorts?limit=200', drawCohorts, 'cohorts']];
  const readRest = async (sent) => {
    if (Date.now() < restUntil) return;
    restUntil = Date.now() + SLOW_MS;
    for (const [path, drawIt, id] of REST) {
      const answer = await fetch(path, { headers: { Authorization: 'Bearer ' + sent }, cache: 'no-store' });
      if (sent !== token) return;
      if (answer.ok) drawIt(await answer.json()); else at(id).replaceChildren();
    }
  };

  const poll = async () => {
    let wait = POLL_MS;
    const sent = token;
    try {
      const answer = await fetch('/v1/status', { headers: { Authorization: 'Bearer ' + sent }, cache: 'no-store' });
      if (sent !== token) return;
      if (answer.status === 401 || answer.status === 403) {
        forget('The server refuses this token: it is wrong, revoked, or not an operator token.');
        return;
      }
      if (!answer.ok) throw new Error('status ' + answer.status);
      draw(await answer.json());
      sessionStorage.setItem(KEY, sent);
      show(true);
      await readRest(sent);
    } catch (e) {
      wait = SLOW_MS;
      at('link').textContent = `no answer (${e.message}); what is shown is old, trying again`;
    }
    if (sent === token) timer = setTimeout(poll, document.hidden ? SLOW_MS : wait);
  };

  at('login').addEventListener('submit', (e) => {
    e.preventDefault();
    token = at('token').value.trim();
    at('token').value = '';
    at('refusal').textContent = '';
    if (token) poll();
  });
  at('forget').addEventListener('click', () => forget(''));
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && token) { clearTimeout(timer); poll(); }
  });
  if (token) { poll(); } else { show(false); }
})();
