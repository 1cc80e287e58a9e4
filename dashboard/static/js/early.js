// Runs before anything is drawn. A press that comes before htmx and the modules are there would be lost, or worse:
// the browser would send the form by itself, as a page of its own. It is kept, and made again when there is somebody
// to hear it: once, however often an impatient finger has pressed.
(() => {
  const kept = new Set();

  function keep(event) {
    const pressed = event.target.closest("button, [hx-get], [hx-post], [hx-put], [hx-delete]");
    if (!pressed?.closest("[hx-get], [hx-post], [hx-put], [hx-delete]")) return;
    event.preventDefault();
    event.stopPropagation();
    kept.add(pressed);
  }

  function hear() {
    removeEventListener("click", keep, true);
    for (const pressed of kept) if (pressed.isConnected) pressed.click();
    kept.clear();
  }

  addEventListener("click", keep, true);
  // Told by page.js; should that never arrive, htmx alone is better than nobody.
  document.addEventListener("page-listens", hear, { once: true });
  addEventListener("load", () => setTimeout(hear), { once: true });
})();
