// rove.js - moving through a grid by keyboard with one stop for Tab.
//
// The cells stand in a matrix. One of them has tabindex 0; arrow keys move that stop and the focus
// with it, as the ARIA practices ask of a grid. Cells that cannot be booked can still be visited,
// so that a screen reader can explore what is taken.

const STEPS = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
};

// `matrix()` gives rows of cells; `chosen(cell)` runs on Enter or Space; `page(step)` on PageUp and
// PageDown with -1 and 1.
export function rove(grid, { matrix, chosen, page }) {
    grid.addEventListener("keydown", (event) => {
        if (event.altKey || event.metaKey) return;
        const cell = event.target.closest("[role=gridcell]");
        if (!cell) return;
        if (event.key === "Enter" || event.key === " ") chosen(cell);
        else if (event.key === "PageUp") page(-1);
        else if (event.key === "PageDown") page(1);
        else {
            const next = neighbour(matrix(), cell, event);
            if (!next) return;
            stopAt(matrix(), next);
            next.focus();
        }
        event.preventDefault();
    });
    grid.addEventListener("focusin", (event) => {
        const cell = event.target.closest("[role=gridcell]");
        if (cell) stopAt(matrix(), cell);
    });
}

export function stopAt(rows, cell) {
    for (const other of rows.flat()) other.tabIndex = other === cell ? 0 : -1;
}

function neighbour(rows, cell, { key, ctrlKey }) {
    const row = rows.findIndex((r) => r.includes(cell));
    if (row < 0) return null;
    if (key === "Home") return (ctrlKey ? rows[0] : rows[row])[0];
    if (key === "End") return (ctrlKey ? rows.at(-1) : rows[row]).at(-1);
    const step = STEPS[key];
    if (!step) return null;
    const column = rows[row].indexOf(cell) + step[1];
    return rows[row + step[0]]?.[column] ?? cell;
}
