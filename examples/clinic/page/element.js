// element.js - builds elements without a framework and without innerHTML.
//
// Everything that comes from the server or from a patient reaches the page as a text node, so no
// name can carry markup. Styles are set through the CSSOM, which the content policy allows.

// `props`: class, text, data (object), css (custom properties), on (listeners); any other key is an
// attribute; true gives an empty attribute, false, null and undefined give none.
export function h(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props)) set(node, key, value);
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
}

function set(node, key, value) {
    if (key === "class") node.className = value;
    else if (key === "text") node.textContent = value;
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key === "css") {
        for (const [name, v] of Object.entries(value)) node.style.setProperty(name, v);
    } else if (key === "on") {
        for (const [name, listener] of Object.entries(value)) node.addEventListener(name, listener);
    } else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) {
        node.setAttribute(key, value);
    }
}

// Writes an attribute only when it differs: the calendar patches hundreds of cells per message.
export function patch(node, name, value) {
    if (value === null) {
        if (node.hasAttribute(name)) node.removeAttribute(name);
    } else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function byId(id) {
    return document.getElementById(id);
}
