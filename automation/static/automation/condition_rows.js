// The rows of conditions: which cells each has, what stands inside what, and new ones.
document.addEventListener("DOMContentLoaded", () => {
  const list = document.getElementById("conditions-lines");
  if (!list) return;
  const words = JSON.parse(document.getElementById("condition-words").textContent);
  const total = document.querySelector('[name="conditions-TOTAL_FORMS"]');
  const instead = document.querySelector('[name="conditions_else"]');
  const field = (row, name) => row.querySelector(`[name$="-${name}"]`);
  const rows = () => [...list.children];
  const isGroup = (row) => words.groups.includes(field(row, "what").value);
  const level = (row) => Number(field(row, "level").value || 0);

  function relabel(row, names) {
    for (const option of field(row, "op").options) option.textContent = names[option.value];
  }

  function fitValue(row, isDay) {
    const value = field(row, "value");
    const typed = value.value;
    value.type = isDay && (/^\d{4}-\d{2}-\d{2}$/.test(typed) || !typed) ? "date" : "text";
    value.value = typed; // what is no date stays to be seen, and to be refused
    value.inputMode = isDay ? "" : "decimal";
    value.placeholder = isDay ? "2026-01-31" : "150.00";
  }

  function fit(row, gone) {
    const what = field(row, "what");
    const kept = what.value === "kept";
    for (const cell of row.querySelectorAll("[data-cell]")) {
      cell.hidden = !words.takes[what.value].includes(cell.dataset.cell);
      for (const input of cell.querySelectorAll("input, select")) input.disabled = cell.hidden;
    }
    // A kept row cannot become another, nor another a kept one.
    row.querySelector("[data-what]").hidden = kept;
    for (const option of what.options) if (option.value === "kept") option.hidden = option.disabled = !kept;
    for (const extra of what.querySelectorAll("optgroup")) extra.hidden = [...extra.children].every((o) => o.hidden);
    for (const button of row.querySelectorAll("[data-group]")) button.hidden = level(row) + 1 >= words.deepest;
    relabel(row, what.value === "date" ? words.days : words.amounts);
    fitValue(row, what.value === "date");
    row.dataset.level = level(row);
    row.classList.toggle("bs-line--gone", gone);
  }

  // A row stands in the nearest group above it that is less deep, as the server reads it.
  function fitAll() {
    const around = [];
    rows().forEach((row, place) => {
      while (around.length && around.at(-1).level >= level(row)) around.pop();
      const above = around.at(-1);
      const own = level(row);
      field(row, "level").value = above ? above.now + 1 : 0;
      field(row, "place").value = place;
      const gone = field(row, "DELETE")?.checked || Boolean(above?.gone);
      fit(row, gone);
      if (isGroup(row)) around.push({ level: own, now: level(row), gone });
    });
    document.getElementById("conditions-none").hidden = rows().length > 0;
    document.getElementById("conditions-how").hidden = rows().length === 0 && !instead.value;
  }

  function add(what, at, before) {
    const copy = document.createElement("div");
    const empty = document.getElementById("conditions-empty");
    copy.innerHTML = empty.innerHTML.replaceAll("__prefix__", total.value);
    const row = copy.firstElementChild;
    list.insertBefore(row, before);
    total.value = Number(total.value) + 1;
    field(row, "what").value = what;
    field(row, "level").value = at;
    fitAll();
    field(row, "what").focus();
  }

  function after(group) {
    let next = group.nextElementSibling;
    while (next && level(next) > level(group)) next = next.nextElementSibling;
    return next;
  }

  list.addEventListener("change", fitAll);
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-inside]");
    if (!button) return;
    const group = button.closest("[data-condition]");
    add(button.dataset.inside, level(group) + 1, after(group));
  });
  for (const button of document.querySelectorAll("[data-condition-add]")) {
    button.addEventListener("click", () => add(button.dataset.conditionAdd, 0, null));
  }
  fitAll();
});
