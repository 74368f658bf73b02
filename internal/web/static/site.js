// Small comforts; every page works without them.

// The switch between the system's preference, light and dark.
for (const button of document.querySelectorAll("[data-theme-switch]")) {
  const order = ["auto", "light", "dark"];
  const root = document.documentElement;
  const show = () => { button.textContent = button.dataset[root.dataset.theme || "auto"]; };
  button.addEventListener("click", () => {
    const next = order[(order.indexOf(root.dataset.theme || "auto") + 1) % order.length];
    try {
      if (next === "auto") localStorage.removeItem("wenlan-theme");
      else localStorage.setItem("wenlan-theme", next);
    } catch { /* it holds for this page only */ }
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    show();
  });
  show();
  button.hidden = false;
}

// Titles offered while typing.
for (const [i, input] of document.querySelectorAll("[data-suggest]").entries()) {
  const list = document.createElement("datalist");
  list.id = "suggest-" + i;
  input.after(list);
  input.setAttribute("list", list.id);
  let timer, running;
  input.addEventListener("input", (event) => {
    clearTimeout(timer);
    const text = input.value.trim();
    if (!text || event.isComposing) return;
    timer = setTimeout(async () => {
      running?.abort();
      running = new AbortController();
      try {
        const answer = await fetch("/api/v1/suggest?q=" + encodeURIComponent(text), { signal: running.signal });
        if (!answer.ok) return;
        const { suggestions = [] } = await answer.json();
        list.replaceChildren(...suggestions.map((s) => {
          const option = document.createElement("option");
          option.value = typeof s === "string" ? s : s.text;
          return option;
        }));
      } catch { /* typing went on, or the network is gone */ }
    }, 150);
  });
}

// "/" goes to the search box.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const box = document.querySelector("input[type=search]");
  if (box) { event.preventDefault(); box.focus(); }
});
