// Keeps the board fresh: asks for its changing part often enough to show a vote within two seconds.
const board = document.getElementById("board");
let shown = null;

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(board.dataset.fragment, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === shown) return;
    const first = shown === null;
    shown = text;
    if (first && same(text)) return;
    const open = board.querySelector("details")?.open;
    const focused = board.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    board.innerHTML = text;
    if (open) board.querySelector("details").open = true;
    if (focused) board.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  } catch {
    // The server is away for a moment; the next round asks again.
  }
}

function same(text) {
  const other = document.createElement("div");
  other.innerHTML = text;
  return other.textContent.replace(/\s+/g, " ") === board.textContent.replace(/\s+/g, " ");
}

setInterval(refresh, 1250);
document.addEventListener("visibilitychange", refresh);
