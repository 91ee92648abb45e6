"use strict";
/* A field for a key takes the key itself; what changes a field or moves on keeps its meaning. */
(() => {
  const arrows = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  document.querySelectorAll("[data-key]").forEach((field) => field.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Backspace" || event.key === "Delete") field.value = "";
    else if (arrows[event.key]) field.value = arrows[event.key];
    else if (event.key.length === 1 && event.key !== " ") field.value = event.key.toUpperCase();
    else return;
    event.preventDefault();
    field.select();
  }));
})();
