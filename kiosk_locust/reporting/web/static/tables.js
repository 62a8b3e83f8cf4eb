"use strict";
// Builds elements; whatever comes from elsewhere is set as text, never as markup.
const Tables = (() => {
  const shown = new WeakMap();

  function element(tag, text = "", attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  // A link where it is an address of the web, else the text alone.
  function maybeLink(text) {
    const href = Text.address(text);
    if (href === null) return document.createTextNode(text);
    return element("a", text, { href, rel: "noopener noreferrer" });
  }

  // `columns`: [{title, number?, link?}]; a row: cells in their order, the first is its head.
  function table(title, columns, rows) {
    const made = element("table");
    made.append(element("caption", title));
    const head = element("tr");
    for (const column of columns) {
      head.append(element("th", column.title, { scope: "col", class: column.number ? "number" : "text" }));
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      row.forEach((cell, place) => {
        const column = columns[place];
        const made = element(place ? "td" : "th", "", { class: column.number ? "number" : "text" });
        if (!place) made.setAttribute("scope", "row");
        made.append(column.link ? maybeLink(String(cell)) : document.createTextNode(String(cell)));
        line.append(made);
      });
      body.append(line);
    }
    made.append(top, body);
    return made;
  }

  // Puts a table into a box that can be scrolled by keys where it is wider than the page.
  function fill(id, title, columns, rows) {
    const box = document.getElementById(id);
    box.hidden = rows.length === 0;
    const key = JSON.stringify(rows);
    if (shown.get(box) === key) return; // unchanged: what is selected in it stays so
    shown.set(box, key);
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", title);
    box.tabIndex = 0;
    box.replaceChildren(table(title, columns, rows));
  }

  // A pair of a definition list.
  function tile(label, value) {
    const made = element("div");
    made.append(element("dt", label), element("dd", value));
    return made;
  }

  function csvCell(value) {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = typeof value === "string" && /^\s*[=+\-@]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  // Lets the reader keep `rows` (the first names the columns) as a CSV file.
  function download(name, rows) {
    const text = rows.map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    const link = element("a", "", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  return { element, maybeLink, fill, table, tile, download };
})();
