//! The pages for people: HTML, a style sheet and small scripts, compiled into the binary.
//!
//! The HTML holds no data and its texts are Korean; the scripts put data in, as text, and
//! translate. Only theme and language are filled in here, so that no page flashes up in the wrong
//! ones.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::response::Html;
use wiz_session::WizSession;

use crate::model::Preferences;

/// A page as it is written.
pub(crate) struct Page(&'static str);

pub(crate) const HOME: Page = Page(include_str!("home.html"));
pub(crate) const LOGIN: Page = Page(include_str!("login.html"));
pub(crate) const USERS: Page = Page(include_str!("users.html"));
pub(crate) const MEMBER: Page = Page(include_str!("member.html"));

/// How each page's root element is written, for light and Korean.
const ROOT: &str = r#"<html lang="ko" data-theme="light">"#;

impl Page {
    /// The page in the visitor's theme and language; until they choose one, in what their browser asks for.
    pub(crate) fn render(&self, session: &WizSession, headers: &HeaderMap) -> Html<String> {
        // Preferences that cannot be read must not keep anybody from the page that sets them.
        let chosen = Preferences::chosen(session).unwrap_or_default();
        let asks_for_english = chosen.is_none() && asks_for_english(headers);
        let preferences = chosen.unwrap_or_default();
        // What a client sent as theme or language never gets into the HTML.
        let theme = if preferences.theme == "dark" {
            "dark"
        } else {
            "light"
        };
        let language = if preferences.language == "en" || asks_for_english {
            "en"
        } else {
            "ko"
        };
        let root = format!(r#"<html lang="{language}" data-theme="{theme}">"#);
        Html(self.0.replacen(ROOT, &root, 1))
    }
}

/// Whether a browser would rather have English than Korean. The languages come in the order of their weight, as browsers
/// send them.
fn asks_for_english(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|line| line.to_str().ok());
    let mut languages = accepted.unwrap_or_default().split(',').map(|language| {
        let tag = language.split([';', '-']).next().unwrap_or_default();
        tag.trim().to_ascii_lowercase()
    });
    languages
        .find(|tag| tag == "en" || tag == "ko")
        .is_some_and(|tag| tag == "en")
}

/// The media type and the content of a file that the pages load.
pub(crate) fn asset(name: &str) -> Option<(&'static str, &'static str)> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    Some(match name {
        "style.css" => ("text/css; charset=utf-8", include_str!("style.css")),
        "icon.svg" => ("image/svg+xml", include_str!("icon.svg")),
        "account.js" => (SCRIPT, include_str!("account.js")),
        "api.js" => (SCRIPT, include_str!("api.js")),
        "cart.js" => (SCRIPT, include_str!("cart.js")),
        "dom.js" => (SCRIPT, include_str!("dom.js")),
        "home.js" => (SCRIPT, include_str!("home.js")),
        "live.js" => (SCRIPT, include_str!("live.js")),
        "login.js" => (SCRIPT, include_str!("login.js")),
        "logins.js" => (SCRIPT, include_str!("logins.js")),
        "member.js" => (SCRIPT, include_str!("member.js")),
        "preferences.js" => (SCRIPT, include_str!("preferences.js")),
        "registration.js" => (SCRIPT, include_str!("registration.js")),
        "text.js" => (SCRIPT, include_str!("text.js")),
        "users.js" => (SCRIPT, include_str!("users.js")),
        _ => return None,
    })
}
