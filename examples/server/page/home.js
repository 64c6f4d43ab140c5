// The start page: every part shows what the session holds, and after each action all of them look
// again.

import { get } from "./api.js";
import * as account from "./account.js";
import * as cart from "./cart.js";
import { attempt, byId, notify, onClick } from "./dom.js";
import * as live from "./live.js";
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
  preferences.apply(state);
  translate();
  for (const part of parts) part.show(state);
  shown = JSON.stringify(state.session);
  byId("session").textContent = JSON.stringify(state.session, null, 2);
}

/** The session that the page shows. */
let shown;

/** What a part calls after an action. */
async function done(korean) {
  await refresh();
  live.acted(changed, ended);
  if (preferences.wantNotices()) notify(t(korean));
}

/** By another tab, or at another place. What this tab did, it shows already. */
const changed = (session) => {
  latest = JSON.stringify(session);
  return attempt(byId("live"), catchUp);
};

let latest;

async function catchUp() {
  let wanted;
  do {
    wanted = latest;
    if (wanted !== shown) await refresh();
    // It may have changed again meanwhile.
  } while (wanted !== latest);
}

const ended = (reason) =>
  attempt(byId("live"), async () => {
    const before = shown;
    await refresh();
    // Unless it was this tab that ended it.
    if (shown !== before) notify(t(endings[reason]));
  });

const endings = {
  logged_out: "다른 곳에서 로그아웃했습니다.",
  revoked: "다른 곳에서 이 로그인을 끝냈습니다.",
  moved: "다른 곳에서 로그인했습니다.",
  expired: "세션이 만료되었습니다.",
};

translate();
attempt(byId("main"), async () => {
  for (const part of parts) await part.start(done);
  onClick(byId("reload"), () => done("새로 고쳤습니다."));
  await refresh();
  live.start(changed, ended);
});
