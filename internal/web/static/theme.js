// Applies the reader's choice of light or dark before the page is drawn.
(() => {
  try {
    const t = localStorage.getItem("wenlan-theme");
    if (t === "light" || t === "dark") document.documentElement.dataset.theme = t;
  } catch { /* no storage: the system's preference holds */ }
})();
