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

// What is offered while typing: a combobox with a list (ARIA Authoring Practices,
// "Combobox Pattern"). Titles are searched, people and subjects are filters.
for (const [i, input] of document.querySelectorAll("[data-suggest]").entries()) {
  const id = "suggest-" + i;
  const list = document.createElement("div");
  list.id = id;
  list.className = "suggest";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.dataset.label);
  const said = document.createElement("span");
  said.className = "hide";
  said.setAttribute("role", "status");
  input.parentElement.classList.add("suggesting");
  input.parentElement.append(list, said);
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id, "aria-haspopup": "listbox",
  })) input.setAttribute(name, value);

  let options = [], at = -1, typed = input.value, timer, running;
  const close = () => {
    clearTimeout(timer);
    running?.abort();
    list.hidden = true;
    options = [];
    mark(-1);
    input.setAttribute("aria-expanded", "false");
  };
  const mark = (to) => {
    options[at]?.removeAttribute("aria-selected");
    at = to;
    const option = options[at];
    if (!option) return input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const choose = (option) => {
    const { kind, text } = option.dataset;
    close();
    if (kind === "creator" || kind === "subject") {
      location.assign("/search?" + new URLSearchParams([[kind, text]]));
      return;
    }
    input.value = typed = text;
    input.form.requestSubmit();
  };
  const show = (suggestions) => {
    close();
    list.replaceChildren();
    for (const kind of ["title", "creator", "subject"]) {
      const some = suggestions.filter((s) => (s.kind || "title") === kind);
      if (!some.length) continue;
      const group = document.createElement("div");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", input.dataset[kind]);
      const heading = document.createElement("div");
      heading.className = "of";
      heading.setAttribute("aria-hidden", "true");
      heading.textContent = input.dataset[kind];
      group.append(heading);
      for (const { text } of some) {
        const option = document.createElement("div");
        option.id = id + "-" + options.length;
        option.dir = "auto";
        option.dataset.kind = kind;
        option.dataset.text = text;
        option.textContent = text;
        option.setAttribute("role", "option");
        options.push(option);
        group.append(option);
      }
      list.append(group);
    }
    if (!options.length) return;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    said.textContent = input.dataset.some.replace("{1}", options.length);
  };
  input.addEventListener("input", (event) => {
    clearTimeout(timer);
    typed = input.value;
    const text = typed.trim();
    if (!text) return close();
    if (event.isComposing) return;
    timer = setTimeout(async () => {
      running?.abort();
      running = new AbortController();
      const { signal } = running;
      try {
        const answer = await fetch("/api/v1/suggest?q=" + encodeURIComponent(text), { signal });
        if (!answer.ok) return;
        const { suggestions = [] } = await answer.json();
        if (!signal.aborted && document.activeElement === input) show(suggestions);
      } catch { /* typing went on, or the network is gone */ }
    }, 150);
  });
  input.addEventListener("compositionend", () => input.dispatchEvent(new Event("input")));
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || list.hidden) return;
    const last = options.length - 1;
    switch (event.key) {
      case "ArrowDown": mark(at < last ? at + 1 : -1); break;
      case "ArrowUp": mark(at < 0 ? last : at - 1); break;
      case "Enter":
        if (at < 0) return close();
        choose(options[at]);
        break;
      case "Escape": close(); break;
      case "Tab": return close();
      default: return;
    }
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(option);
  });
  input.addEventListener("blur", close);
}

// Copying a reference, and fetching the references into the page of a record.
const copies = (part) => {
  if (!navigator.clipboard) return; // no secure context
  for (const button of part.querySelectorAll("[data-copy]")) {
    const text = button.parentElement.querySelector(".citation"), label = button.textContent;
    button.addEventListener("click", async () => {
      try {
        const html = new Blob([text.innerHTML], { type: "text/html" }), plain = new Blob([text.textContent], { type: "text/plain" });
        await navigator.clipboard.write([new ClipboardItem({ "text/html": html, "text/plain": plain })]);
      } catch {
        try { await navigator.clipboard.writeText(text.textContent); } catch { return getSelection().selectAllChildren(text); }
      }
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = label; }, 2000);
    });
    button.hidden = false;
  }
};
copies(document);
for (const link of document.querySelectorAll("[data-references]")) {
  link.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    link.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(link.href);
      const there = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".references");
      for (const heading of there.querySelectorAll("h2")) { // below the page's own
        const lower = document.createElement("h3");
        lower.id = heading.id;
        lower.textContent = heading.textContent;
        heading.replaceWith(lower);
      }
      const part = document.importNode(there, true);
      link.parentElement.replaceWith(part);
      copies(part);
      part.tabIndex = -1;
      part.focus({ preventScroll: true });
    } catch { location.assign(link.href); }
  });
}

// "/" goes to the search box.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const box = document.querySelector("input[type=search]");
  if (box) { event.preventDefault(); box.focus(); }
});
