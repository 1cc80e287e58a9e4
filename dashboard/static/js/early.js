// Runs before anything is drawn. A press that comes before htmx and the modules are there would be lost, or worse: the
// browser would send the form by itself, as a page of its own. It is kept, and made again when there is somebody to hear it.
(() => {
  const kept = [];

  function keep(event) {
    const pressed = event.target.closest("button, [hx-get], [hx-post], [hx-put], [hx-delete]");
    if (!pressed?.closest("[hx-get], [hx-post], [hx-put], [hx-delete]")) return;
    event.preventDefault();
    event.stopPropagation();
    kept.push(pressed);
  }

  function hear() {
    removeEventListener("click", keep, true);
    for (const pressed of kept.splice(0)) if (pressed.isConnected) pressed.click();
  }

  addEventListener("click", keep, true);
  // Told by page.js; should that never arrive, htmx alone is better than nobody.
  document.addEventListener("page-listens", hear, { once: true });
  addEventListener("load", () => setTimeout(hear), { once: true });
})();
