// A search box for each long table, and folded tables opened for the printer. The page is complete without.
for (const table of document.querySelectorAll(".long table")) {
  const rows = [...table.tBodies[0].rows], frame = table.parentElement;
  const find = document.createElement("label"), input = document.createElement("input");
  const found = document.createElement("output");
  find.className = "find";
  input.type = "search";
  input.autocomplete = "off";
  find.append("Find in this table ", input, found);
  frame.before(find);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => { for (const each of opened) each.open = false; });
