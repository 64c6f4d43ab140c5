//! Which cookies Chromium keeps where, as `docs/login-does-not-stick.md` tells it.

use axum::{
    Router,
    http::{HeaderMap, header::COOKIE},
    response::AppendHeaders,
    routing::get,
};
use http::header::SET_COOKIE;
use reqwest::Url;
use tokio::net::TcpListener;

use crate::{browser::Browser, tls_proxy};

const PAGE: &str = include_str!("../../docs/login-does-not-stick.md");

/// In the order of the page's columns.
const COOKIES: [(&str, &str); 3] = [
    ("sid", "sid=1; HttpOnly; SameSite=Lax; Path=/"),
    ("secure", "secure=1; HttpOnly; SameSite=Lax; Secure; Path=/"),
    (
        "__Host-sid",
        "__Host-sid=1; HttpOnly; SameSite=Lax; Secure; Path=/",
    ),
];

/// Sets all of them, and says which ones a request brings.
fn app() -> Router {
    let set = COOKIES.map(|(_, cookie)| (SET_COOKIE, cookie));
    let brought = async |headers: HeaderMap| {
        let cookies = headers.get(COOKIE).and_then(|line| line.to_str().ok());
        cookies.unwrap_or_default().to_owned()
    };
    Router::new()
        .route("/", get(async move || (AppendHeaders(set), "a page")))
        .route("/brought", get(brought))
}

#[tokio::test]
async fn the_page_tells_which_cookies_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async { axum::serve(listener, app()).await });
    let tls = tls_proxy::start(&format!("http://127.0.0.1:{port}/")).await;
    let tls: Url = tls.parse().expect("a URL");

    for (scheme, host, port) in [
        ("http", "localhost", port),
        ("http", "127.0.0.1", port),
        ("http", "192.0.2.7", port),
        ("http", "shop.example", port),
        ("https", "localhost", tls.port().expect("a port")),
        ("https", "192.0.2.7", tls.port().expect("a port")),
        ("https", "shop.example", tls.port().expect("a port")),
    ] {
        let browser = Browser::open_at(&format!("{scheme}://{host}:{port}/")).await;
        let brought = browser
            .resolve("fetch('/brought').then(answer => answer.text())")
            .await;
        let brought = brought.as_str().expect("a text");
        let kept = COOKIES.map(|(name, _)| {
            let is_kept = brought.split("; ").any(|pair| pair == format!("{name}=1"));
            if is_kept { "kept" } else { "**dropped**" }
        });
        let row = format!("| `{scheme}://{host}` | {} |", kept.join(" | "));
        assert!(PAGE.contains(&row), "the page does not have {row}");
    }
}
