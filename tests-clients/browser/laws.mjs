// What every page has to be like, whatever it shows: understandable to a screen reader, usable by keyboard, still while
// it loads, light, no wider than the window, and a text of others' cannot rearrange it.
//
// Each function throws an error that says where a page breaks its law.
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Sum of all shifts while a page loads: what is seen to move. Web vitals call 0.1 good. */
const SHIFT_MAX = 0.01;
export const WEIGHT_BYTES_MAX = 200 * 1_000;
/** More tab stops than this nobody goes through: they take the skip link, or j and k. */
const STOPS_MAX = 400;

/** No violation that axe calls serious or critical. */
export async function accessible(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"], elementRef: false });
    return violations.map(({ id, impact, help, nodes }) => ({
      id, impact, help,
      nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 300)}\n      ${failureSummary.replace(/\n\s*/g, " ")}`),
    }));
  });
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  if (grave.length) {
    const told = grave.map(({ id, impact, help, nodes }) => `${impact} ${id}: ${help}\n    ${nodes.slice(0, 5).join("\n    ")}`);
    throw new Error(`axe finds\n  ${told.join("\n  ")}`);
  }
}

/** Nothing is wider than the window, so that nothing has to be pushed aside to be read. */
export async function narrow(page) {
  const wide = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return undefined;
    const over = [...document.querySelectorAll("body *")].filter((el) => el.getBoundingClientRect().right > clientWidth + 0.5);
    const names = over.slice(0, 8).map((el) => el.outerHTML.slice(0, 160));
    return `${scrollWidth} > ${clientWidth}:\n  ${names.join("\n  ")}`;
  });
  if (wide) throw new Error(`the page is wider than the window: ${wide}`);
}

/** Nothing moved by itself. */
export async function still(page) {
  const { shift, shifted } = await page.evaluate(() => window.watched);
  if (shift > SHIFT_MAX) throw new Error(`the page moved by ${shift}:\n  ${[...new Set(shifted)].slice(0, 8).join("\n  ")}`);
}

/** All that can be acted on is reached with Tab, and is seen to be. */
export async function reachable(page) {
  const count = await page.evaluate(() => {
    const seen = (el) => el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
    const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])")];
    window.stops = all.filter((el) => seen(el) && !el.disabled && el.type !== "hidden" && el.tabIndex >= 0);
    window.reached = new Set();
    const strange = all.find((el) => el.tabIndex > 0);
    if (strange) throw new Error(`an order of its own: ${strange.outerHTML.slice(0, 200)}`);
    // Where the first Tab starts from: before everything.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    return window.stops.length;
  });
  if (count > STOPS_MAX) throw new Error(`${count} tab stops`);
  // A box that scrolls is a stop, too, and not counted.
  for (let pressed = 0; pressed < count + 40; pressed += 1) {
    await page.keyboard.press("Tab");
    const state = await page.evaluate(() => {
      const el = document.activeElement;
      if (el === document.body) return "around";
      window.reached.add(el);
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(el);
      const shown = (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
      return shown ? "on" : `nothing shows the focus of ${el.outerHTML.slice(0, 200)}`;
    });
    if (state === "around") break;
    if (state !== "on") throw new Error(state);
  }
  const missed = await page.evaluate(() => {
    const alike = (el) => el.type === "radio" && [...window.reached].some((other) => other.type === "radio" && other.name === el.name);
    return window.stops.filter((el) => el.isConnected && !window.reached.has(el) && !alike(el)).map((el) => el.outerHTML.slice(0, 200));
  });
  if (missed.length) throw new Error(`not reached with Tab:\n  ${missed.slice(0, 8).join("\n  ")}`);
}

/** Text with marks that turn the direction stands by itself: what is around it stays as it is. */
export async function isolated(page) {
  const loose = await page.evaluate(() => {
    const marks = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u0590-\u08ff]/;
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      if (!marks.test(text.data) || text.parentElement.closest("script, style, option, textarea")) continue;
      let el = text.parentElement;
      let alone = true;
      for (; ; el = el.parentElement) {
        const { unicodeBidi, display } = getComputedStyle(el);
        if (display !== "inline") {
          // A paragraph by itself, in which nothing else stands.
          alone = el.textContent.trim() === text.data.trim();
          break;
        }
        if (/isolate|plaintext/.test(unicodeBidi)) break;
      }
      if (!alone) found.push(`${el.outerHTML.slice(0, 300)}`);
    }
    return found;
  });
  if (loose.length) throw new Error(`text that could turn what is around it:\n  ${loose.slice(0, 5).join("\n  ")}`);
}

/** Bytes of all bodies that came for one page, as they came over the wire, to one who has nothing of it yet. */
export async function weight(reader, path) {
  const came = [];
  const note = (request) => came.push(request);
  reader.page.on("requestfinished", note);
  const cache = await reader.context.newCDPSession(reader.page);
  await cache.send("Network.setCacheDisabled", { cacheDisabled: true });
  await reader.go(path);
  reader.page.off("requestfinished", note);
  await cache.detach();
  const sizes = await Promise.all(came.map((request) => request.sizes()));
  const bytes = sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
  const each = came.map((request, n) => `${sizes[n].responseBodySize} ${new URL(request.url()).pathname}`);
  if (bytes > WEIGHT_BYTES_MAX) throw new Error(`${path} weighs ${bytes} bytes:\n  ${each.join("\n  ")}`);
  return bytes;
}
