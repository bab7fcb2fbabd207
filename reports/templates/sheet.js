"use strict";
// Rows whose text holds every word stay.
const box = document.getElementById("filter");
const shown = document.getElementById("shown");
const rows = [...document.querySelectorAll("tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const [row, text] of rows) {
    row.hidden = !words.every((word) => text.includes(word));
    count += row.hidden ? 0 : 1;
  }
  shown.value = words.length ? `${count} of ${rows.length} rows` : "";
});
