"use strict";
/* Images in full size, one after another in the same place, so that flipping shows what changed. Links marked
   data-zoom="name" lead to an image, or to its page where data-zoom-src says the image. Pages may be swapped in place. */
(() => {
  const one = (selector) => document.querySelector(selector);
  const links = () => [...document.querySelectorAll("[data-zoom]")];
  const typing = "input, textarea, select";
  const keyOf = (event) => event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const plain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || event.isComposing);
  let at = 0;
  let subtracting = false;

  const show = (index) => {
    const all = links();
    at = (index + all.length) % all.length;
    const { zoom, zoomSrc, zoomDifference } = all[at].dataset;
    const dialog = one("[data-zoom-dialog]");
    const image = one("[data-zoom-image]");
    const subtracted = subtracting && zoomDifference;
    image.src = subtracted || zoomSrc || all[at].href;
    image.alt = one("[data-zoom-name]").textContent = zoom;
    dialog.classList.toggle("subtracted", Boolean(subtracted));
    const page = one("[data-zoom-page]");
    if (page) page.href = all[at].href;
    image.decode().then(() => {
      one("[data-zoom-size]").textContent = `${image.naturalWidth} × ${image.naturalHeight}`;
    }, () => {});
  };
  const full = (wanted) => {
    one("[data-zoom-dialog]").classList.toggle("full", wanted);
    one("[data-zoom-full]").setAttribute("aria-pressed", String(wanted));
  };
  const subtract = (wanted) => {
    subtracting = wanted;
    one("[data-zoom-subtract]").setAttribute("aria-pressed", String(wanted));
    show(at);
  };
  const open = (index) => {
    const dialog = one("[data-zoom-dialog]");
    if (!dialog.dataset.ready) dialog.addEventListener("close", () => links()[at].focus());
    dialog.dataset.ready = "yes";
    full(false);
    show(index);
    dialog.showModal();
    one("[data-zoom-close]").focus();
  };

  document.addEventListener("click", (event) => {
    const dialog = one("[data-zoom-dialog]");
    if (!dialog) return;
    const link = event.target.closest("[data-zoom]");
    if (link) {
      if (!plain(event) || event.shiftKey) return;
      event.preventDefault();
      return open(links().indexOf(link));
    }
    const step = event.target.closest("[data-zoom-step]");
    if (step) show(at + Number(step.dataset.zoomStep));
    else if (event.target.closest("[data-zoom-full], img[data-zoom-image]")) full(!dialog.classList.contains("full"));
    else if (event.target.closest("[data-zoom-subtract]")) subtract(!subtracting);
    else if (event.target === dialog || event.target.closest("[data-zoom-close]")) dialog.close();
  });

  document.addEventListener("keydown", (event) => {
    const dialog = one("[data-zoom-dialog]");
    if (!dialog || !plain(event)) return;
    const key = keyOf(event);
    if (!dialog.open) {
      if (event.repeat || key !== dialog.dataset.zoomKeys || event.target.closest(typing) || !links().length) return;
      event.preventDefault();
      const around = event.target.closest("figure, td");
      return open(Math.max(0, links().findIndex((link) => around?.contains(link))));
    }
    const panning = dialog.classList.contains("full") && event.target.closest(".zoom-view");
    const columns = Number(dialog.dataset.zoomColumns || 0);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
    if (step && !panning) show(at + step);
    else if (key === dialog.dataset.zoomKeys) dialog.close();
    else if (key === "d" && one("[data-zoom-subtract]")) subtract(!subtracting);
    else return;
    event.preventDefault();
  });
})();
