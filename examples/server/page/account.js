// The part of the start page that logs in and out.

import { logIn, post } from "./api.js";
import { byId, fill, onClick, onSubmit, showOnly } from "./dom.js";
import { t } from "./text.js";

const form = byId("login");
const card = byId("account");

export function start(done) {
  onSubmit(form, async (credentials) => {
    const target = await logIn(credentials);
    form.reset();
    if (target !== location.pathname) return location.assign(target);
    await done("로그인했습니다.");
    byId("account-title").focus();
  });
  onClick(byId("logout"), async () => {
    await post("/api/logout");
    await done("로그아웃했습니다.");
    byId("account-title").focus();
  });
}

export function show({ login }) {
  showOnly(login.logged_in ? card : form, [card, form]);
  byId("who").textContent = login.logged_in ? login.user.name : t("로그인하지 않음");
  if (!login.logged_in) return;
  const { name, email, is_admin } = login.user;
  fill({ name, email, initial: [...name][0] ?? "" });
  for (const id of ["admin", "admin-link"]) byId(id).hidden = !is_admin;
}
