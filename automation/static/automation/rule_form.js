// Shows only the words that a leg or a trigger can use; adds and strikes out lines.
document.addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("rule-form");
  if (!page) return;
  const grammar = JSON.parse(document.getElementById("rule-grammar").textContent);
  const kind = page.querySelector("[name=kind]");

  const field = (line, name) => line.querySelector(`[name$="-${name}"]`);

  function offer(select, allowed) {
    for (const option of select.options) option.hidden = option.disabled = !allowed.includes(option.value);
    if (!allowed.includes(select.value)) select.value = allowed[0] ?? "";
  }

  function reveal(line, known) {
    for (const box of line.querySelectorAll("[data-word]")) {
      const input = box.querySelector("input, select");
      const wrong = box.querySelector(".errors");
      box.hidden = !known.includes(box.dataset.word) && !wrong;
      input.disabled = box.hidden; // what does not apply is not sent
    }
    const more = line.querySelector("details");
    if (more) more.hidden = ![...more.querySelectorAll("[data-word]")].some((box) => !box.hidden);
  }

  function fitLeg(line) {
    const roles = grammar.legs[kind.value];
    const role = field(line, "role");
    offer(role, Object.keys(roles));
    const ways = roles[role.value];
    const strategy = field(line, "strategy");
    offer(strategy, Object.keys(ways));
    const none = Object.keys(ways).join() === "";
    strategy.closest("[data-strategy]").style.visibility = none ? "hidden" : "";
    reveal(line, ways[strategy.value] ?? []);
  }

  function fitTrigger(line) {
    reveal(line, grammar.triggers[field(line, "kind").value] ?? []);
  }

  function fit(line) {
    (line.dataset.line === "legs" ? fitLeg : fitTrigger)(line);
    const gone = field(line, "DELETE").checked;
    line.classList.toggle("bs-line--gone", gone);
  }

  function fitAll() {
    page.querySelectorAll("[data-line]").forEach(fit);
    const rest = page.querySelector("[data-only=autosort]");
    if (rest) rest.hidden = kind.value !== "autosort";
  }

  function add(prefix) {
    const total = page.querySelector(`[name="${prefix}-TOTAL_FORMS"]`);
    const empty = document.getElementById(`${prefix}-empty`);
    const copy = document.createElement("div");
    copy.innerHTML = empty.innerHTML.replaceAll("__prefix__", total.value);
    const line = copy.firstElementChild;
    document.getElementById(`${prefix}-lines`).append(line);
    total.value = Number(total.value) + 1;
    fit(line);
    line.querySelector("select").focus();
  }

  page.addEventListener("change", fitAll);
  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-add]");
    if (button) add(button.dataset.add);
  });
  fitAll();
});
