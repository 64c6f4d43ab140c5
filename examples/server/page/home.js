// The start page: every part shows what the session holds, and after each action all of them look
// again.

import { get } from "./api.js";
import * as account from "./account.js";
import * as cart from "./cart.js";
import { attempt, byId, notify, onClick } from "./dom.js";
import * as logins from "./logins.js";
import * as preferences from "./preferences.js";
import * as registration from "./registration.js";
import { t, translate } from "./text.js";

const parts = [account, logins, cart, preferences, registration];

async function load() {
  const [session, login, { sessions }, items, settings] = await Promise.all([
    get("/api/session"),
    get("/api/check_session"),
    get("/api/sessions"),
    get("/api/get_cart"),
    get("/api/get_preferences"),
  ]);
  return { session, login, logins: sessions, items, settings };
}

async function refresh() {
  const state = await load();
  // First the language: the other parts speak it.
  preferences.apply(state.settings);
  translate();
  for (const part of parts) part.show(state);
  byId("session").textContent = JSON.stringify(state.session, null, 2);
}

/** What a part calls after an action. */
async function done(korean) {
  await refresh();
  if (preferences.wantNotices()) notify(t(korean));
}

translate();
attempt(byId("main"), async () => {
  for (const part of parts) await part.start(done);
  onClick(byId("reload"), () => done("새로 고쳤습니다."));
  await refresh();
});
