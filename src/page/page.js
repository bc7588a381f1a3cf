"use strict";

// Tables: a click on a column's button sorts by it, a second one the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const first = heading.dataset.first || "descending";
      const other = first === "descending" ? "ascending" : "descending";
      const order = heading.getAttribute("aria-sort") === first ? other : first;
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", order);
      const key = (row) => row.cells[column].dataset.value;
      const compare = (a, b) =>
        isNaN(key(a)) ? key(a).localeCompare(key(b)) : Number(key(a)) - Number(key(b));
      const rows = [...table.tBodies[0].rows].sort(compare);
      if (order === "descending") rows.reverse();
      table.tBodies[0].append(...rows);
    });
  });
}
