// Where nobody has chosen a time zone yet, the browser's own stands in its field.
document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll("[data-zone-of-browser]")) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const known = [...field.list.options].some((option) => option.value === own);
    if (known && field.value === field.defaultValue) field.value = own;
  }
});
