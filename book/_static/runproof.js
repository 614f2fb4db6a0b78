// Two repairs of what the tools below this book write. Loaded with `defer`.

// Boxes that scroll sideways must be reachable by keyboard. The theme sees to it when the page
// loads; this does the same for code in a solution that has just been unfolded.
document.addEventListener(
  "toggle",
  (event) => {
    for (const box of event.target.querySelectorAll("pre, .cell_output > .output")) {
      box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
    }
  },
  true,
);

// Docutils calls the entries of a bibliography by a role that is no longer known as a list item.
for (const entry of document.querySelectorAll(".citation[role='doc-biblioentry']")) {
  entry.setAttribute("role", "listitem");
}
