// The part of the start page that shows where one is logged in, and ends it there.

import { post } from "./api.js";
import { byId, element, onClick } from "./dom.js";
import { moment, t } from "./text.js";

let ended = () => {};

export function start(done) {
  ended = async () => {
    await done("그곳에서 로그아웃했습니다.");
    // The button that was pressed is gone.
    byId("logins-title").focus();
  };
  onClick(byId("end-others"), async () => {
    await post("/api/sessions/revoke_others");
    await ended();
  });
}

export function show({ logins }) {
  byId("logins-card").hidden = logins.length === 0;
  byId("logins").replaceChildren(...logins.map(item));
  byId("end-others").hidden = !logins.some(({ current }) => !current);
}

function item({ handle, label, since, last_seen, current, bound }) {
  const name = element("span", { textContent: label });
  const id = element("code", { className: "quiet", textContent: handle.slice(0, 8) });
  const mark = current
    ? element("span", { className: "tag", textContent: t("이 브라우저") })
    : endButton(label, handle);
  const device = bound ? [element("span", { className: "tag bound", textContent: t("기기에 묶임") })] : [];
  return element("li", {}, name, id, ...device, mark, time("로그인한 때", since), time("마지막 사용", last_seen));
}

const time = (korean, millis) =>
  element("span", { className: "quiet time", textContent: `${t(korean)}: ${moment(millis)}` });

function endButton(label, handle) {
  const end = element("button", { type: "button", className: "plain small", textContent: t("끝내기") });
  end.ariaLabel = `${t("끝내기")}: ${label} ${handle.slice(0, 8)}`;
  onClick(end, async () => {
    try {
      await post("/api/sessions/revoke", { handle });
    } catch (error) {
      // It ended by itself meanwhile, which is what was wanted.
      if (error.status !== 404) throw error;
    }
    await ended();
  });
  return end;
}
