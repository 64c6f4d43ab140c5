// The page follows its session: what another tab or another place does is shown here at once.

let source;
/** Without a session there is nothing to follow yet. */
let isFollowing = false;
const tabs = new BroadcastChannel("session");

/** Calls `changed` with the session after each change, and `ended` with the reason when it is over. */
export function start(changed, ended) {
  tabs.onmessage = () => begun(changed, ended);
  follow(changed, ended);
}

/** To be called after each action: it may have begun a session, also for the other tabs. */
export function acted(changed, ended) {
  tabs.postMessage("acted");
  begun(changed, ended);
}

function begun(changed, ended) {
  if (!isFollowing) follow(changed, ended);
}

function follow(changed, ended) {
  source?.close();
  // Until it is known whose cookie the browser sent: the answer to a login in another tab may be under way.
  isFollowing = false;
  source = new EventSource("/api/events");
  source.addEventListener("session", ({ data }) => {
    const session = JSON.parse(data);
    isFollowing = Object.keys(session).length > 0;
    changed(session);
  });
  source.addEventListener("ended", ({ data }) => {
    ended(JSON.parse(data).reason);
    // The browser may have the cookie of a newer session.
    follow(changed, ended);
  });
}
