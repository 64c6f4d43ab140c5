// The part of the start page that sets theme, language and notices.

import { post } from "./api.js";
import { attempt, byId } from "./dom.js";

const form = byId("preferences");

export function start(done) {
  form.addEventListener("change", ({ target }) =>
    attempt(form, async () => {
      const value = target.type === "checkbox" ? target.checked : target.value;
      // With the language of the page: the browser may have asked for it, and it is kept.
      const language = document.documentElement.lang;
      await post("/api/update_preferences", { language, [target.name]: value });
      await done("저장했습니다.");
    }),
  );
}

/** Gives the page its theme and language; what it does not know is the default. Without a choice it stays as the server made it. */
export function apply({ session, settings: { theme, language } }) {
  const root = document.documentElement;
  if (!session.preferences) return;
  root.dataset.theme = theme === "dark" ? "dark" : "light";
  root.lang = language === "en" ? "en" : "ko";
}

export function show({ settings }) {
  form.elements.theme.value = document.documentElement.dataset.theme;
  form.elements.language.value = document.documentElement.lang;
  form.elements.notifications.checked = settings.notifications;
}

export const wantNotices = () => form.elements.notifications.checked;
