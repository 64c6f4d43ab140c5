// Putting data into a page, as text and never as HTML, and listening to people.

import { reason } from "./text.js";

export const byId = (id) => document.getElementById(id);

/** A new element. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** Fills the elements whose ids are the keys. */
export function fill(texts) {
  for (const [id, text] of Object.entries(texts)) byId(id).textContent = text;
}

/** Shows one element of several. */
export function showOnly(shown, elements) {
  for (const element of elements) element.hidden = element !== shown;
}

/** Calls `action` with the fields of a form when it is sent. */
export function onSubmit(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, () => action(Object.fromEntries(new FormData(form))));
  });
}

export function onClick(button, action) {
  button.addEventListener("click", () => attempt(button, action));
}

/** Runs an action of `source`, one at a time, and tells when it fails. */
export async function attempt(source, action) {
  if (source.ariaBusy === "true") return;
  source.ariaBusy = "true";
  try {
    await action();
  } catch (error) {
    notify(reason(error), "error");
  } finally {
    source.ariaBusy = "false";
  }
}

let hiding;

/** Shows a notice for a while, and has it read out. */
export function notify(text, kind = "success") {
  const notice = byId("notice");
  clearTimeout(hiding);
  notice.textContent = text;
  notice.className = `notice shown ${kind}`;
  hiding = setTimeout(() => notice.classList.remove("shown"), kind === "error" ? 8000 : 3000);
}
