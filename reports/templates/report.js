"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const findings = all(".finding");
  const filter = find("#filter");
  const expand = find("#expand");

  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const f of findings) {
      f.hidden = !words.every((w) => f.dataset.words.includes(w));
      shown += !f.hidden;
    }
    find("#shown").textContent = findings.length ? `${shown} of ${findings.length} shown` : "";
  };
  filter.addEventListener("input", apply);
  apply();

  expand.addEventListener("click", () => {
    const open = expand.getAttribute("aria-pressed") !== "true";
    expand.setAttribute("aria-pressed", open);
    expand.textContent = open ? "Collapse all" : "Expand all";
    for (const f of findings) if (!f.hidden) f.open = open;
  });

  for (const a of all("[data-filter]")) {
    a.addEventListener("click", () => {
      filter.value = a.dataset.filter;
      apply();
    });
  }

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages opened from disk may not be allowed to use the clipboard interface.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  for (const button of all("[data-copy]")) {
    const label = button.textContent;
    button.addEventListener("click", async () => {
      await copy(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    });
  }

  const openTarget = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && document.activeElement !== filter) {
      e.preventDefault();
      filter.focus();
    } else if (e.key === "Escape" && document.activeElement === filter) {
      filter.value = "";
      apply();
    }
  });

  const remember = (theme) => { try { localStorage.setItem("halfproof-theme", theme); } catch { /* not from disk */ } };
  const recall = () => { try { return localStorage.getItem("halfproof-theme"); } catch { return null; } };
  const root = document.documentElement;
  const known = recall();
  if (known) root.dataset.theme = known;
  find("#theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember(root.dataset.theme);
  });
})();
