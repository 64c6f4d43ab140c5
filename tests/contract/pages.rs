//! The pages for people.

use serde_json::json;

use crate::browser::Browser;
use crate::server::Server;

#[tokio::test]
async fn the_pages_are_html_under_a_strict_policy() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for path in ["/", "/login", "/users"] {
        let page = browser.get_page(path).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(
            page.body.contains(r#"<html lang="ko" data-theme="light">"#),
            "{path}"
        );
        assert!(!page.body.contains("style=\""), "an inline style in {path}");
    }
    browser.log_in_as_alice().await;
    let page = browser.get_page("/dashboard").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let program = browser.get("/dashboard").await.expect(200);
    assert_eq!(program.json()["user"]["name"], "Alice");
}

#[tokio::test]
async fn everything_a_page_loads_is_there() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let mut waiting = vec!["/".to_owned(), "/login".to_owned(), "/users".to_owned()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        let file = browser.get_page(&path).await.expect(200);
        waiting.extend(assets(&file.body));
        seen.push(path);
    }
    assert!(
        seen.iter().any(|path| path == "/assets/text.js"),
        "{seen:?}"
    );
}

/// The files that HTML or a script names.
fn assets(text: &str) -> Vec<String> {
    text.split('"')
        .filter_map(|part| match part.strip_prefix("./") {
            Some(module) if module.ends_with(".js") => Some(format!("/assets/{module}")),
            _ => part.starts_with("/assets/").then(|| part.to_owned()),
        })
        .collect()
}

#[tokio::test]
async fn obey_theme_and_language() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let update = json!({ "theme": "dark", "language": "en" });
    browser
        .post("/api/update_preferences", update)
        .await
        .expect(200);
    for path in ["/", "/login", "/users"] {
        let page = browser.get_page(path).await.expect(200).body;
        assert!(
            page.contains(r#"<html lang="en" data-theme="dark">"#),
            "{path}"
        );
    }

    let hostile = json!({ "theme": "\"><script>", "language": "<b>" });
    browser
        .post("/api/update_preferences", hostile)
        .await
        .expect(200);
    let page = browser.get("/").await.expect(200).body;
    assert!(page.contains(r#"<html lang="ko" data-theme="light">"#));
}
