"use strict";
/* Comfort for the booth; every page works without it. */
(() => {
  const one = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  // A page brought back from memory shows a matchup that may be answered already.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // One answer a matchup, however fast the keys are.
  let sent = false;
  all("form[data-answer]").forEach((form) => form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  }));

  // Keys: an element with data-keys="1 ArrowLeft" is clicked by either.
  const typing = "input, textarea, select";
  const native = "a, button, summary";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.closest(typing)) return;
    const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const focused = event.target.closest(native);
    if (key === "Enter" && focused || key === "Space" && focused && focused.tagName !== "A") return;
    const target = all("[data-keys]").find((item) => item.dataset.keys.split(" ").includes(key) && item.checkVisibility());
    if (!target) return;
    event.preventDefault();
    target.click();
  });

  // Ranking: with it open, images are clicked from best to worst instead of picked.
  const ranking = one("[data-ranking]");
  if (ranking) {
    const seats = all("[data-seat]");
    const selects = [...ranking.querySelectorAll("select")];
    const order = [];
    const show = () => seats.forEach((seat, index) => {
      const badge = seat.querySelector("[data-badge]");
      badge.textContent = selects[index].value;
      badge.hidden = !ranking.open || !selects[index].value;
    });
    const assign = (index) => {
      if (selects[index].value) return;
      selects[index].value = String(selects.filter((select) => select.value).length + 1);
      order.push(index);
      show();
      if (order.length === seats.length) ranking.querySelector("button").focus();
    };
    const takeBack = () => {
      if (order.length) selects[order.pop()].value = "";
      show();
    };
    seats.forEach((seat, index) => seat.addEventListener("click", (event) => {
      if (!ranking.open) return;
      event.preventDefault();
      assign(index);
    }));
    selects.forEach((select) => select.addEventListener("change", show));
    ranking.addEventListener("toggle", show);
    document.addEventListener("keydown", (event) => {
      if (event.key === "Backspace" && ranking.open && !event.target.closest(typing)) takeBack();
    });
    show();
  }

  // A typed prompt on its way.
  const rendering = one("[data-state-url]");
  if (rendering) {
    const look = async () => {
      try {
        const state = await (await fetch(rendering.dataset.stateUrl)).json();
        if (state.state !== "queued" && state.state !== "rendering") return location.reload();
        one("[data-rendered]").textContent = state.rendered;
        one("#rendered").value = state.rendered;
        one("[data-seconds]").textContent = state.seconds;
        one("[data-note]").textContent = state.state === "queued" ? "Waiting for the worker" : "Rendering";
      } catch { /* the server is away for a moment: look again */ }
      setTimeout(look, 500);
    };
    setTimeout(look, 500);
  }

  // Nothing to show yet: look again, but never while somebody types.
  if (one("[data-look-again]")) setInterval(() => { if (!document.activeElement?.closest(typing)) location.reload(); }, 5000);
})();
