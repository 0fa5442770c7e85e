// A person with a browser: pages of the gateway, watched. Whatever a page does that no page may do (an error on the
// console, a breach of the policy, a request to elsewhere, a dialog nobody asked for) fails the step it happens in.
//
// Not here: what a page has to be like (`laws.mjs`), what is done on it (`walks/`).
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

import { stage } from "./stage.mjs";

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
const PATIENCE_MS = 30_000;
/** More takes long, and nobody looks at it. */
const PICTURE_HEIGHT_MAX = 6_000;

let browser;

async function launched() {
  const args = ["--disable-gpu", "--disable-dev-shm-usage", "--font-render-hinting=none"];
  // Chromium's sandbox does not start for root.
  browser ??= await chromium.launch({ executablePath: stage.chromium, chromiumSandbox: process.getuid() !== 0, args });
  return browser;
}

export async function close() {
  await browser?.close();
}

/** Runs in every page before anything of it: what moves by itself, and what the policy refuses. */
function watch() {
  window.watched = { shift: 0, shifted: [], violations: [] };
  addEventListener("securitypolicyviolation", (event) => {
    window.watched.violations.push(`${event.effectiveDirective}: ${event.blockedURI || event.sample} at ${event.sourceFile}`);
  });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      window.watched.shift += entry.value;
      for (const { node } of entry.sources ?? []) window.watched.shifted.push((node?.outerHTML ?? node?.data ?? "?").slice(0, 200));
    }
  }).observe({ type: "layout-shift", buffered: true });
  addEventListener("pointerdown", (event) => event.isTrusted && window.pressed?.(), true);
}

export class Reader {
  /** How often this reader has pressed a button of the mouse. */
  presses = 0;
  /** Of this reader's pages: statuses that are no fault just now. */
  #expected = new Set();
  #faults = [];
  #console = [];
  #step = "opening";
  #script = true;

  /** `token: null`: signed out. */
  static async open({ token = stage.token, scheme = "light", size = DESKTOP, script = true } = {}) {
    const reader = new Reader();
    reader.#script = script;
    const phone = size.width < 600 ? { isMobile: true, hasTouch: true } : {};
    const settings = { viewport: size, colorScheme: scheme, javaScriptEnabled: script, timezoneId: "Asia/Kolkata", ...phone };
    reader.context = await (await launched()).newContext({ ...settings, baseURL: stage.admin, reducedMotion: "reduce" });
    reader.context.setDefaultTimeout(PATIENCE_MS);
    await reader.#listen();
    if (token !== null) await reader.signIn(token);
    reader.page = await reader.context.newPage();
    return reader;
  }

  /** As the form does, without showing it. */
  async signIn(token) {
    const answer = await this.context.request.post("/sign-in", { form: { token, next: "" }, maxRedirects: 0 });
    if (answer.status() !== 303) throw new Error(`the sign-in was answered ${answer.status()}: ${await answer.text()}`);
  }

  async #listen() {
    const { context } = this;
    await context.exposeFunction("pressed", () => (this.presses += 1));
    await context.addInitScript(watch);
    const fault = (text) => this.#faults.push(text);
    context.on("console", (message) => {
      this.#console.push(`${message.type()}: ${message.text()}`);
      const refused = [...this.#expected].some((status) => message.text().includes(`status of ${status} `));
      if (message.type() === "error" && !refused) fault(`console: ${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => fault(`uncaught: ${error.error()?.stack ?? error.error()}`));
    context.on("dialog", async (dialog) => {
      fault(`a dialog: ${dialog.type()} ${dialog.message()}`);
      await dialog.dismiss();
    });
    context.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (origin !== stage.admin && protocol !== "data:") fault(`a request to elsewhere: ${request.url()}`);
    });
    context.on("response", (response) => {
      const status = response.status();
      if (status >= 400 && !this.#expected.has(status)) fault(`${status} for ${response.request().method()} ${response.url()}`);
    });
  }

  /** Runs one step; it passes if it does and no page did what none may do. */
  async step(name, run) {
    this.#step = name;
    const began = performance.now();
    try {
      const value = await run(this.page);
      await this.faultless();
      console.log(`ok      ${name} (${Math.round(performance.now() - began)} ms)`);
      return value;
    } catch (error) {
      throw await this.#told(error);
    }
  }

  /** As a step, but what fails is kept for later: a page's fault must not hide those of the next. */
  async look(name, run, failures) {
    await this.step(name, run).catch((error) => {
      console.log(`FAILED  ${name}`);
      failures.push(error.message);
    });
  }

  /** As a step within which the gateway refuses with this status. */
  async refused(status, run) {
    this.#expected.add(status);
    try {
      return await run();
    } finally {
      this.#expected.delete(status);
    }
  }

  /** Fails if a page did what none may do. */
  async faultless() {
    const seen = await this.page?.evaluate(() => window.watched?.violations ?? []).catch(() => []);
    const all = [...this.#faults, ...(seen ?? []).map((violation) => `the policy refused ${violation}`)];
    if (all.length) throw new Error(`a page did what none may do:\n  ${all.join("\n  ")}`);
  }

  /** A page, once it stands still. A status that is not wanted is an error. */
  async go(path, status = 200) {
    const answer = await (status === 200 ? this.page.goto(path) : this.refused(status, () => this.page.goto(path)));
    if (answer.status() !== status) throw new Error(`${path} was answered ${answer.status()}, not ${status}`);
    await this.settled();
    return answer;
  }

  /** Until what was loaded is drawn. */
  async settled() {
    await this.page.waitForLoadState("load");
    // A page without scripts has no frames to wait for.
    if (!this.#script) return;
    await this.page.evaluate(async () => {
      await document.fonts.ready;
      await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    });
  }

  /** A picture of the whole page, or of the beginning of a very long one. */
  async shoot(folder, name) {
    await mkdir(`${stage.screens}/${folder}`, { recursive: true });
    const height = await this.page.evaluate(() => document.documentElement.scrollHeight);
    const picture = { path: `${stage.screens}/${folder}/${name}.png`, animations: "disabled" };
    if (height <= PICTURE_HEIGHT_MAX) {
      await this.page.screenshot({ ...picture, fullPage: true });
      return;
    }
    // All of a very long page is more than can be drawn at once.
    const was = this.page.viewportSize();
    await this.page.setViewportSize({ ...was, height: PICTURE_HEIGHT_MAX });
    await this.page.screenshot(picture);
    await this.page.setViewportSize(was);
  }

  async close() {
    await this.context.close();
  }

  async #told(error) {
    const picture = `failed-${process.argv[2]}`;
    await this.shoot("failed", picture).catch(() => {});
    const lines = this.#console.slice(-20).map((line) => `\n    ${line}`);
    const all = `step: ${this.#step}\n  page: ${this.page?.url()}\n  picture: ${stage.screens}/failed/${picture}.png\n  console:${lines.join("")}`;
    error.message = `${error.message}\n  ${all}`;
    this.#faults = [];
    // What a stack shows was written before.
    error.stack = `${error.message}\n${String(error.stack).split("\n").filter((line) => line.trim().startsWith("at ")).join("\n")}`;
    return error;
  }
}
