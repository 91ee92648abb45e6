"use strict";
/* One image over the other, and a slider that uncovers it. */
(() => {
  const wipe = document.querySelector("[data-wipe]");
  if (!wipe) return;
  const slider = wipe.querySelector("input");
  const uncover = () => { wipe.querySelector("[data-wipe-top]").style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; };
  slider.addEventListener("input", uncover);
  wipe.hidden = false;
  uncover();
})();
