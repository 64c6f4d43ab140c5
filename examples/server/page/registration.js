// The part of the start page that registers in steps. The session knows how far it got.

import { post } from "./api.js";
import { byId, fill, onSubmit, showOnly } from "./dom.js";

const forms = [byId("step1"), byId("step2"), byId("step3")];

export function start(done) {
  onSubmit(forms[0], async (fields) => {
    await post("/api/save_step1", fields);
    await next(done, "저장했습니다.");
  });
  onSubmit(forms[1], async (fields) => {
    await post("/api/save_step2", fields);
    await next(done, "저장했습니다.");
  });
  onSubmit(forms[2], async () => {
    await post("/api/complete_registration");
    for (const form of forms) form.reset();
    await next(done, "등록이 완료되었습니다.");
  });
  for (const button of document.querySelectorAll("[data-back]")) {
    button.addEventListener("click", () => open(Number(button.dataset.back)).focus());
  }
}

async function next(done, korean) {
  await done(korean);
  byId("registration-title").focus();
}

export function show({ session }) {
  const { registration_step1: about, registration_step2: contact } = session;
  if (about) prefill(forms[0], about);
  if (contact) prefill(forms[1], contact);
  if (about && contact) {
    const { name, email } = about;
    const { phone, address } = contact;
    fill({ "sum-name": name, "sum-email": email, "sum-phone": phone, "sum-address": address });
  }
  open(!about ? 1 : !contact ? 2 : 3);
}

function prefill(form, values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
}

/** Shows a step and gives its first field. */
function open(step) {
  showOnly(forms[step - 1], forms);
  [...byId("steps").children].forEach((item, index) => {
    item.className = index + 1 < step ? "past" : "";
    item.ariaCurrent = index + 1 === step ? "step" : null;
  });
  return forms[step - 1].elements[0];
}
