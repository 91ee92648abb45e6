"use strict";
/* Comfort for the booth; every page works without it. */
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  // A page brought back from memory, or left for the next matchup, may be answered already.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  window.addEventListener("popstate", () => location.reload());

  // Everything below belongs to one page; the next matchup brings its own and ends these listeners.
  let turned = new AbortController();
  const start = () => {
    turned.abort();
    turned = new AbortController();
    const { signal } = turned;

    // One answer a matchup, however fast the keys are.
    let sent = false;
    all("form[data-answer]").forEach((form) => form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      sent = true;
    }));

    // Keys: an element with data-keys="1 ArrowLeft" is clicked by either. A dialog keeps its keys to itself.
    const typing = "input, textarea, select";
    const native = "a, button, summary";
    const dialog = one("[data-zoom-dialog]");
    const name = (event) => event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
      if (dialog?.open || event.target.closest(typing)) return;
      const key = name(event);
      const focused = event.target.closest(native);
      if (key === "Enter" && focused || key === "Space" && focused && focused.tagName !== "A") return;
      const target = all("[data-keys]").find((item) => item.dataset.keys.split(" ").includes(key) && item.checkVisibility());
      if (!target) return;
      event.preventDefault();
      target.click();
    }, { signal });

    // Ranking: with it open, images are clicked from best to worst instead of picked.
    const ranking = one("[data-ranking]");
    if (ranking) {
      const seats = all("[data-seat]");
      const selects = [...ranking.querySelectorAll("select")];
      const said = ranking.querySelector("[data-ranked]");
      const tie = ranking.querySelector("[data-tie]");
      const order = [];
      // With it pressed, the next image shares the place of the last one.
      const join = (wanted) => tie.setAttribute("aria-pressed", String(wanted));
      const mark = () => seats.forEach((seat, index) => {
        const badge = seat.querySelector("[data-badge]");
        badge.textContent = selects[index].value;
        badge.hidden = !ranking.open || !selects[index].value;
      });
      const best = () => order.map((index, at) => `${at ? (selects[index].value === selects[order[at - 1]].value ? " = " : " > ") : ""}${index + 1}`).join("");
      const say = () => { said.textContent = `${said.dataset.text}: ${best() || "–"}`; tie.disabled = !order.length || order.length === seats.length; };
      const assign = (index) => {
        if (selects[index].value) return;
        const tied = tie.getAttribute("aria-pressed") === "true";
        selects[index].value = tied ? selects[order.at(-1)].value : String(selects.filter((select) => select.value).length + 1);
        order.push(index);
        join(false);
        mark();
        say();
        if (order.length === seats.length) ranking.querySelector("form button").focus();
      };
      const takeBack = () => {
        if (!order.length) return;
        selects[order.pop()].value = "";
        join(false);
        mark();
        say();
      };
      seats.forEach((seat, index) => seat.addEventListener("click", (event) => {
        if (!ranking.open) return;
        event.preventDefault();
        assign(index);
      }));
      tie.addEventListener("click", () => join(tie.getAttribute("aria-pressed") !== "true"));
      selects.forEach((select) => select.addEventListener("change", mark));
      ranking.addEventListener("toggle", mark);
      document.addEventListener("keydown", (event) => {
        if (event.key === "Backspace" && ranking.open && !dialog?.open && !event.target.closest(typing)) takeBack();
      }, { signal });
      mark();
    }

    // While this matchup is looked at, the next one is chosen and its images are fetched; they tell nothing about anybody.
    // "Next" then shows it at once, and asks the server again meanwhile: that starts its clock.
    const next = one("[data-next]");
    let ahead = null;
    const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
    const ticketOf = (page) => page.querySelector("input[name=ticket]")?.value;
    const preload = async () => {
      try {
        const page = await parsed(await fetch(next.href, { headers: { Accept: "text/html", Purpose: "prefetch" } }));
        const images = [...page.querySelectorAll(".seats img, .references img")].map((image) => {
          const copy = new Image();
          copy.src = image.getAttribute("src");
          return copy;
        });
        await Promise.all(images.map((image) => image.decode()));
        if (!ticketOf(page)) return;
        ahead = { page, images };
        next.dataset.ready = String(images.length);
      } catch { /* it is loaded when it is opened */ }
    };
    const turn = async ({ page }) => {
      const { href } = next;
      one("main").replaceWith(document.adoptNode(page.querySelector("main")));
      document.title = page.title;
      history.pushState(null, "", href);
      start();
      window.scrollTo(0, 0);
      one("main").focus();
      try {
        const fresh = await parsed(await fetch(href, { headers: { Accept: "text/html" } }));
        if (ticketOf(fresh) !== ticketOf(document)) location.reload();
      } catch { /* the answer will tell */ }
    };
    if (next) {
      if (document.readyState === "complete") preload();
      else window.addEventListener("load", preload);
      next.addEventListener("click", (event) => {
        if (!ahead || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        turn(ahead);
      });
    }

    // A typed prompt on its way.
    const rendering = one("[data-state-url]");
    if (rendering) {
      const note = one("[data-note]");
      const look = async () => {
        try {
          const state = await (await fetch(rendering.dataset.stateUrl)).json();
          if (state.state !== "queued" && state.state !== "rendering") return location.reload();
          one("[data-rendered]").textContent = state.rendered;
          one("#rendered").value = state.rendered;
          one("[data-seconds]").textContent = state.seconds;
          const text = note.dataset[state.state];
          if (note.textContent !== text) note.textContent = text;
        } catch { /* the server is away for a moment: look again */ }
        setTimeout(look, 500);
      };
      setTimeout(look, 500);
    }

    // Nothing to show yet: look again, but never while somebody types, or is on the way to a button by keyboard.
    if (one("[data-look-again]")) setInterval(() => { if (!document.activeElement?.closest(`${typing}, ${native}`)) location.reload(); }, 5000);
  };
  start();
})();
