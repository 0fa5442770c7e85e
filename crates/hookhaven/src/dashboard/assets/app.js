// What every page gets beside its HTML: the reader's time zone, copying, questions before what cannot be undone, keys.
// Everything works without it.
"use strict";
(() => {
  const two = (n) => String(n).padStart(2, "0");

  // As wide as the UTC text that it takes the place of, so that nothing moves.
  function localTimes(root) {
    for (const el of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(el.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      el.dataset.local = "";
      if ("ago" in el.dataset) continue;
      const ms = "ms" in el.dataset ? "." + String(at.getMilliseconds()).padStart(3, "0") : "";
      el.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ` +
        `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}${ms}`;
      el.title = el.dateTime + " (UTC)";
    }
  }

  // data-copy="#id": the text of that element; data-copy without a value: of the element before the button.
  async function copy(button) {
    const from = button.dataset.copy ? document.querySelector(button.dataset.copy) : button.previousElementSibling;
    const text = from ? ("value" in from ? from.value : from.textContent) : "";
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(from);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = was; }, 1500);
  }

  // A form or a button with data-confirm asks in a dialog of the page before it is sent.
  function ask(form, button, text) {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", "Confirm");
    const said = document.createElement("p");
    said.textContent = text;
    said.dir = "auto";
    const row = document.createElement("div");
    row.className = "row";
    const [yes, no] = ["Yes", "No"].map((name) => {
      const choice = document.createElement("button");
      choice.type = "button";
      choice.textContent = name;
      return choice;
    });
    yes.className = "primary";
    yes.addEventListener("click", () => {
      dialog.close();
      form.dataset.confirmed = "";
      form.requestSubmit(button ?? undefined);
    });
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    row.append(yes, no);
    dialog.append(said, row);
    document.body.append(dialog);
    dialog.showModal();
    yes.focus();
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const text = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (!text || "confirmed" in form.dataset) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    ask(form, event.submitter, text);
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });

  document.addEventListener("change", (event) => {
    const el = event.target;
    if ("submit" in el.dataset) el.form.requestSubmit();
    // A box at the head of a table ticks all below it.
    if ("all" in el.dataset) {
      for (const box of el.closest("table").querySelectorAll("tbody input[type=checkbox]")) box.checked = el.checked;
    }
  });

  // Keys: / to the search, j and k through rows, Enter opens, g and a letter goes to a section, ? tells them.
  let went = 0;
  const rows = () => [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector("a[href]"));
  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    next.querySelector("a[href]").focus();
    next.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    if (Date.now() - went < 1500) {
      const entry = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      went = 0;
      if (entry) {
        event.preventDefault();
        entry.click();
        return;
      }
    }
    if (event.key === "g") went = Date.now();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "/") {
      const search = document.querySelector("main input[type=search]") ??
        document.querySelector("main form.filters input:not([type=hidden])");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    } else if (event.key === "?") help();
  });
  function help() {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", "Keys");
    const list = document.createElement("dl");
    list.className = "facts";
    const keys = [["j, k", "next and previous row"], ["Enter", "open it"], ["/", "search"], ["?", "this list"]];
    for (const link of document.querySelectorAll("nav a[data-key]")) keys.push([`g ${link.dataset.key}`, link.textContent.trim()]);
    for (const [key, text] of keys) {
      const dt = document.createElement("dt");
      const kbd = document.createElement("kbd");
      kbd.textContent = key;
      dt.append(kbd);
      const dd = document.createElement("dd");
      dd.textContent = text;
      list.append(dt, dd);
    }
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.append(list, close);
    document.body.append(dialog);
    dialog.showModal();
  }

  const start = () => {
    localTimes(document);
    // The menu is open where there is room, and closed on a phone until it is asked for.
    const menu = document.querySelector("details.menu");
    if (menu && matchMedia("(max-width: 800px)").matches) menu.open = false;
  };
  start();
  document.addEventListener("htmx:afterSwap", (event) => localTimes(event.target));
  window.hookhaven = { localTimes };
})();
