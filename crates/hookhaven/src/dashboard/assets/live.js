// The live view: rows as they are told, newest first. What is kept is bounded: so many rows, drawn so often, and while
// nobody looks nothing is read. Every text goes in as text.
"use strict";
(() => {
  const ROWS_MAX = 200;
  const DRAW_EVERY_MS = 250;
  const KNOWN_MAX = 5000;
  const AGAIN_AFTER_MS = 2000;
  // Who was away longer begins anew instead of reading all that has happened since.
  const AWAY_MAX_MS = 120000;
  const TONES = { delivered: "good", dead: "bad", retry: "wait", cancelled: "quiet" };

  const live = document.getElementById("live");
  const body = document.getElementById("live-rows");
  const status = document.getElementById("live-status");
  const count = document.getElementById("live-count");
  const button = document.getElementById("live-pause");
  let source = null;
  let cursor = "";
  let paused = false;
  let waiting = [];
  let seen = 0;
  let leftOut = 0;
  let timer = 0;
  let heard = Date.now();
  const known = new Set();

  const say = (text) => { if (status.textContent !== text) status.textContent = text; };

  function element(name, text, className) {
    const el = document.createElement(name);
    if (text) el.textContent = text;
    if (className) el.className = className;
    return el;
  }

  function cell(...children) {
    const td = document.createElement("td");
    td.append(...children);
    return td;
  }

  function row(told) {
    const tr = document.createElement("tr");
    const time = element("time", told.at);
    time.setAttribute("datetime", told.at);
    time.dataset.ms = "";
    const link = element("a");
    link.href = told.link;
    link.append(element("bdi", told.type));
    const what = cell();
    if (told.state) what.append(element("span", told.state, `badge ${TONES[told.state] ?? "quiet"}`), " ");
    what.append(element("bdi", told.what));
    const type = cell(link);
    type.className = "wide";
    tr.append(cell(time), cell(element("bdi", told.source)), type, what);
    return tr;
  }

  function draw() {
    timer = 0;
    const fresh = document.createDocumentFragment();
    for (const told of waiting.reverse()) fresh.append(row(told));
    waiting = [];
    window.hookhaven?.localTimes(fresh);
    body.prepend(fresh);
    while (body.rows.length > ROWS_MAX) body.deleteRow(-1);
    count.textContent = leftOut
      ? `${seen.toLocaleString("en")} told, ${leftOut.toLocaleString("en")} more left out`
      : `${seen.toLocaleString("en")} told`;
  }

  function told(event) {
    if (event.lastEventId) cursor = event.lastEventId;
    heard = Date.now();
    const { rows, left_out } = JSON.parse(event.data);
    leftOut += left_out;
    for (const told of rows) {
      // After a pause some things are told twice.
      if (known.has(told.id)) continue;
      known.add(told.id);
      if (known.size > KNOWN_MAX) known.delete(known.values().next().value);
      waiting.push(told);
      seen += 1;
    }
    if (waiting.length > ROWS_MAX) {
      leftOut += waiting.length - ROWS_MAX;
      seen -= waiting.length - ROWS_MAX;
      waiting = waiting.slice(-ROWS_MAX);
    }
    if (!timer && waiting.length) timer = setTimeout(draw, DRAW_EVERY_MS);
  }

  function close() {
    source?.close();
    source = null;
  }

  function open() {
    if (source || paused || document.hidden) return;
    const address = new URL(live.dataset.stream, location.href);
    if (Date.now() - heard > AWAY_MAX_MS) cursor = "";
    if (cursor) address.searchParams.set("after", cursor);
    source = new EventSource(address);
    source.onopen = () => say("Following.");
    source.onmessage = told;
    source.onerror = () => {
      const refused = source?.readyState === EventSource.CLOSED;
      close();
      say(refused
        ? "The stream cannot be opened: too many are open, or the session has ended. Trying again …"
        : "The connection was lost. Connecting …");
      setTimeout(open, AGAIN_AFTER_MS);
    };
  }

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(paused));
    if (paused) {
      close();
      say("Paused.");
    } else {
      open();
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
})();
