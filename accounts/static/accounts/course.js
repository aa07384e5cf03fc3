// Says what was held where somebody points at the chart; the amounts come as texts.
for (const chart of document.querySelectorAll("[data-course]")) {
  const marks = JSON.parse(chart.querySelector("script").textContent);
  const told = chart.querySelector("output");
  const pointer = chart.querySelector(".bs-course__pointer");
  const svg = chart.querySelector("svg");
  const show = (shown) => {
    told.hidden = !shown;
    pointer.toggleAttribute("hidden", !shown);
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 1000;
    const mark = marks.findLast((candidate) => candidate[0] <= x);
    show(mark !== undefined);
    if (mark === undefined) return;
    pointer.setAttribute("x1", x);
    pointer.setAttribute("x2", x);
    told.textContent = `${mark[3]} since ${mark[2]}`;
  });
  svg.addEventListener("pointerleave", () => show(false));
}
