// Draws what #charts-data holds, in the colours of the style sheet and the reader's time zone; leads from a step to its
// events, from what was drawn over to that span; and keeps a page with charts up to date without moving it.
"use strict";
(() => {
  const EVERY_MS = 10_000;
  const DRAG_PX = 6;
  const NEAR_PX = 7;
  const DASHES = [[], [7, 4], [2, 3]];
  // As on pages: by the day where that suffices, else by the hour and minute, the day beneath where it begins.
  const DAY = [null, null, null, null, null, null, 1];
  const HOUR = ["\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1];
  const TIMES = [[86_400, "{MM}-{DD}", ...DAY], [60, "{HH}:{mm}", ...HOUR], [1, "{HH}:{mm}:{ss}", ...HOUR]];
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const read = () => JSON.parse(document.getElementById("charts-data")?.textContent ?? "null");
  const clock = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
  const charts = new Map();
  const was = new Map();
  let data = read();

  const digits = (value) => (value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
  const plain = (value, places) => value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  function shown(unit, value) {
    if (value == null) return "–";
    if (unit === "") return plain(value, 0);
    if (unit !== "ms") return (value === 0 ? "0" : plain(value, digits(value))) + unit;
    if (value < 9.95) return `${value.toFixed(1)} ms`;
    if (value < 999.5) return `${value.toFixed(0)} ms`;
    if (value < 59_950) return `${(value / 1000).toFixed(1)} s`;
    const s = Math.round(value / 1000);
    return s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${s / 60} min`;
  }
  // Short, for an axis.
  function tick(unit, value) {
    if (unit !== "ms") return value >= 1e6 ? `${value / 1e6}M` : value >= 1e4 ? `${value / 1e3}k` : String(+value.toFixed(3));
    return value >= 60_000 ? `${+(value / 60_000).toFixed(1)} min` : value >= 1000 ? `${+(value / 1000).toFixed(1)} s` : `${value} ms`;
  }

  const of = (id) => data.charts.find((chart) => chart.id === id);
  const steps = () => Math.max(0, ...data.charts.flatMap((chart) => chart.lines.map((line) => line.values.length)));
  const at = (step) => data.since + step * data.step;
  // A step reaches up to the next; the last one up to the end.
  function columns(chart) {
    const xs = Array.from({ length: steps() + 1 }, (_, step) => at(step));
    return [xs, ...chart.lines.map((line) => [...line.values, line.values.at(-1) ?? null])];
  }
  const rfc = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
  function lead(path, since, until) {
    const to = new URL(path, location.href);
    to.searchParams.delete("range");
    to.searchParams.set("since", rfc(since));
    to.searchParams.set("until", rfc(until));
    location.assign(to.pathname + to.search);
  }

  function say(id, plot) {
    const chart = of(id);
    const { idx, left } = plot.cursor;
    const on = idx != null && left >= 0;
    const step = on ? Math.min(Math.floor((plot.posToVal(left, "x") - data.since) / data.step), steps() - 1) : null;
    const values = document.querySelectorAll(`#legend-${CSS.escape(id)} b`);
    chart.lines.forEach((line, n) => {
      const value = on ? line.values[step] : line.values.findLast((value) => value != null);
      if (values[n]) values[n].textContent = shown(chart.unit, value);
    });
    const note = document.querySelector(`[data-note="${CSS.escape(id)}"]`);
    const near = (mark) => Math.abs(plot.valToPos(mark.at, "x") - left) <= NEAR_PX;
    const marks = on ? data.marks.filter(near).map((mark) => mark.text) : [];
    note.textContent = on ? [clock.format(at(step) * 1000), ...marks].join(" · ") : "\u00a0";
  }

  function drawMarks(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    for (const mark of data.marks) {
      const x = Math.round(plot.valToPos(mark.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = ctx.fillStyle = colour(mark.kind === "alert" ? "--s4" : "--quiet");
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - 4 * ratio, bbox.top);
      ctx.lineTo(x + 4 * ratio, bbox.top);
      ctx.lineTo(x, bbox.top + 6 * ratio);
      ctx.fill();
    }
    ctx.restore();
  }

  function options(id, element) {
    const chart = of(id);
    const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { stroke: () => colour("--line"), width: 1, size: 4 }, font: "12px system-ui, sans-serif" };
    const line = (line, n) => ({
      label: line.name,
      stroke: () => colour(`--s${line.colour}`),
      fill: n === 0 && chart.unit !== "ms" ? () => colour(`--s${line.colour}`) + "1f" : undefined,
      width: 1.5,
      dash: DASHES[n],
      paths: uPlot.paths.stepped({ align: 1 }),
      points: { show: false },
    });
    return {
      width: Math.max(element.clientWidth, 60),
      height: element.clientHeight,
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, sync: { key: "page" }, points: { size: 6 } },
      scales: {
        x: { time: true, range: () => [data.since, at(steps())] },
        y: { range: (_, min, max) => [0, max > 0 ? max * 1.08 : 1] },
      },
      axes: [{ ...axis, values: TIMES }, { ...axis, size: 62, space: 32, values: (_, all) => all.map((value) => tick(of(id).unit, value)) }],
      series: [{}, ...chart.lines.map(line)],
      hooks: {
        draw: [drawMarks],
        setCursor: [(plot) => say(id, plot)],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < DRAG_PX) return;
          const whole = (px) => Math.round(plot.posToVal(px, "x") / 60) * 60;
          const since = whole(left);
          lead(location.href, since, Math.max(whole(left + width), since + 60));
        }],
      },
    };
  }

  function draw(element) {
    const id = element.dataset.chart;
    element.replaceChildren();
    const plot = new uPlot(options(id, element), columns(of(id)), element);
    let pressed = 0;
    plot.over.addEventListener("mousedown", (event) => { pressed = event.clientX; });
    plot.over.addEventListener("click", (event) => {
      if (Math.abs(event.clientX - pressed) >= DRAG_PX) return;
      const step = Math.floor((plot.posToVal(plot.cursor.left, "x") - data.since) / data.step);
      if (step >= 0 && step < steps()) lead(data.events, at(step), at(step + 1));
    });
    new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: element.clientHeight });
    }).observe(element);
    charts.set(id, plot);
  }

  function redraw() {
    data = read();
    for (const [id, plot] of charts) if (of(id)) plot.setData(columns(of(id)));
  }

  // Takes over what changed, piece by piece; a piece that somebody is at is left as it is.
  function take(page) {
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (!old || old.contains(document.activeElement) || was.get(fresh.id) === fresh.innerHTML) continue;
      was.set(fresh.id, fresh.innerHTML);
      if (old.tagName === "SCRIPT") old.textContent = fresh.textContent;
      else old.innerHTML = fresh.innerHTML;
      window.hookhaven?.localTimes(old);
    }
    if (data) redraw();
  }

  let asking = false;
  async function refresh() {
    if (asking || document.visibilityState !== "visible") return;
    asking = true;
    const stale = document.getElementById("stale");
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      // The session has ended.
      if (answer.redirected) location.reload();
      else if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
      if (stale) stale.hidden = answer.ok;
    } catch {
      if (stale) stale.hidden = false;
    } finally {
      asking = false;
    }
  }

  if (data) for (const element of document.querySelectorAll("[data-chart]")) draw(element);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const plot of charts.values()) plot.redraw(false);
  });
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
})();
