// The list of users, and the message that one was created.

import { get } from "./api.js";
import { attempt, byId, element } from "./dom.js";
import { t, translate } from "./text.js";

translate();
attempt(byId("users"), async () => {
  const { users, flash } = await get("/users");
  byId("users").replaceChildren(...users.map(item));
  if (flash) show(flash);
});

function item({ name, email }) {
  return element(
    "li",
    {},
    element("span", { textContent: name }),
    element("span", { className: "quiet", textContent: email }),
  );
}

function show({ message, type }) {
  const flash = byId("flash");
  flash.textContent = t(message);
  flash.classList.add(type);
  flash.hidden = false;
}
