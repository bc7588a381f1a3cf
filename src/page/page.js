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

// Gallery: one choice per row of buttons; a photo shows if it fits all of them.
const gallery = document.querySelector(".gallery");
if (gallery) {
  const shots = [...gallery.querySelectorAll(".shots figure")];
  const count = gallery.querySelector("output");
  const show = () => {
    const wanted = Object.fromEntries(
      [...gallery.querySelectorAll("button[aria-pressed=true]")].map((b) => [b.dataset.filter, b.value]),
    );
    let shown = 0;
    for (const shot of shots) {
      const { kind, traits } = shot.dataset;
      const fits =
        (wanted.kind === "all" || kind === wanted.kind) &&
        (wanted.trait === "all" || traits.split(" ").includes(wanted.trait));
      shot.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown ? `${shown} photo${shown > 1 ? "s" : ""}` : "No photo fits: choose another trait or kind.";
  };
  gallery.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-filter]");
    if (!button) return;
    for (const other of gallery.querySelectorAll(`button[data-filter=${button.dataset.filter}]`)) {
      other.setAttribute("aria-pressed", other === button);
    }
    show();
  });
  show();
}
