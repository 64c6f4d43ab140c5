//! What a login is shown as.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use woothee::parser::Parser;

/// Browser and system, as far as the `User-Agent` names them: "Firefox on Linux". Otherwise the name that the program
/// gives itself.
pub(crate) fn label(headers: &HeaderMap) -> String {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    let agent = agent.unwrap_or_default();
    let known = Parser::new().parse(agent);
    match known.filter(|found| found.name != "UNKNOWN" && found.category != "misc") {
        Some(found) if found.os != "UNKNOWN" => {
            format!("{} on {}", browser(found.name, agent), found.os)
        }
        Some(found) => found.name.to_owned(),
        None => program(agent).unwrap_or("Unknown device").to_owned(),
    }
}

/// Edge calls itself `Edg` since it is built on Chromium, which the parser has not learnt.
fn browser<'a>(name: &'a str, agent: &str) -> &'a str {
    match agent.contains(" Edg/") {
        true => "Edge",
        false => name,
    }
}

/// `curl` of `curl/8.5.0`.
fn program(agent: &str) -> Option<&str> {
    let name = agent.split(['/', ' ']).next();
    name.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_and_others_name_themselves() {
        let table = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
                "Chrome on Windows 10",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows 10",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("shop-app 2.1", "shop-app"),
            ("", "Unknown device"),
        ];
        for (agent, expected) in table {
            let headers = HeaderMap::from_iter([(USER_AGENT, agent.parse().unwrap())]);
            assert_eq!(label(&headers), expected, "{agent}");
        }
        assert_eq!(label(&HeaderMap::new()), "Unknown device");
    }
}
