// A form is sent once: its buttons rest until the page changes.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  setTimeout(() => {
    for (const button of event.target.querySelectorAll("button.bs-button")) button.disabled = true;
  });
});
// Coming back with the browser's own button shows the page as it was: wake them.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button.bs-button[disabled]")) button.disabled = false;
});
