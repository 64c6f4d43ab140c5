// A page that needs a login. It asks the same address for the data.

import { get, post } from "./api.js";
import { attempt, byId, fill, onClick } from "./dom.js";
import { t, translate } from "./text.js";

const titles = { "/dashboard": "대시보드", "/profile": "프로필", "/admin": "관리" };

translate();
byId("title").textContent = t(titles[location.pathname]);
document.querySelector(`nav a[href="${location.pathname}"]`).ariaCurrent = "page";
onClick(byId("logout"), async () => {
  await post("/api/logout");
  location.assign("/");
});
attempt(byId("title"), async () => {
  const { user, contact } = await get(location.pathname);
  const { id, name, email, is_admin } = user;
  byId("admin-link").hidden = !is_admin;
  fill({ id, name, email, phone: contact?.phone ?? "–", address: contact?.address ?? "–" });
});
