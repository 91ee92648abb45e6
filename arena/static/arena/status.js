// Keeps the status page current: fetches its changing part every second and replaces the sections that differ.
"use strict";
(() => {
  const loop = document.getElementById("loop");
  const stale = document.getElementById("stale");
  const SECOND = 1000;

  function replaceSection(fresh) {
    const old = document.getElementById(fresh.id);
    if (old && old.outerHTML === fresh.outerHTML) return;
    const focused = old && old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    if (old) old.replaceWith(fresh);
    if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const sections = [...fresh.querySelectorAll("section")];
    const same = sections.map((s) => s.id).join() === [...loop.querySelectorAll("section")].map((s) => s.id).join();
    if (same) sections.forEach(replaceSection);
    else loop.replaceChildren(...sections);
  }

  async function refresh() {
    try {
      const answer = await fetch(loop.dataset.source, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.text());
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
    // A page that nobody looks at asks less often.
    setTimeout(refresh, document.hidden ? 10 * SECOND : SECOND);
  }

  setTimeout(refresh, SECOND);
})();
