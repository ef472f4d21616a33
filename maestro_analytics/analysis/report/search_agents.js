// Filters the table of agents by what is typed. Without it the whole table is shown, and no search box.
(() => {
  const box = document.querySelector('input[type=search]');
  if (!box) return;
  box.closest('p').hidden = false;
  const rows = [...document.querySelectorAll('tbody[data-searched] tr')];
  const told = document.querySelector('[data-found]');
  box.addEventListener('input', () => {
    const words = box.value.toLowerCase().split(/\s+/);
    let found = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      found += !row.hidden;
    }
    told.textContent = box.value.trim() ? found + ' of ' + rows.length : '';
  });
})();
