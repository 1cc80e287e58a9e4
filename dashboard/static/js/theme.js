// Day or night colours, before the first paint: no flash of white into tired eyes.
(() => {
  const KEY = "anshou-theme";
  const stored = localStorage.getItem(KEY);
  const night = stored ? stored === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.bsTheme = night ? "dark" : "light";
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#theme")) return;
    const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    document.documentElement.dataset.bsTheme = next;
    localStorage.setItem(KEY, next);
    document.dispatchEvent(new Event("theme-changed"));
  });
})();
