//! Beside the cookie jar of tower-cookies, and other encoders on the way.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    routing::get,
};
use http::header::SET_COOKIE;
use tower::Layer;
use tower_cookies::{Cookie, CookieManagerLayer, Cookies};
use wiz_session::WizSession;

use crate::support::{Site, handle};

#[tokio::test]
async fn below_a_cookie_jar_the_cookie_goes_through_it() {
    let site = Site::new();
    let agrees = async |jar: Cookies, request: Request, next: Next| {
        let response = next.run(request).await;
        assert!(
            !response.headers().contains_key(SET_COOKIE),
            "left to the jar"
        );
        let value = jar
            .get("__Host-sid")
            .map(|cookie| cookie.value().to_owned());
        (response.status(), value.unwrap_or_default())
    };
    let serve = |handler: fn(&WizSession)| {
        let handler = async move |session: WizSession, jar: Cookies| {
            jar.add(Cookie::new("theme", "dark"));
            handler(&session);
        };
        Router::new()
            .route("/", get(handler))
            .layer(site.layer.clone())
            .layer(from_fn(agrees))
            .layer(CookieManagerLayer::new())
    };
    let mut browser = site.browser();
    let set = serve(|session| session.set("a", 1).unwrap());
    let reply = browser.send(set, Request::default()).await;
    let mut names: Vec<_> = reply
        .cookies()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["__Host-sid", "theme"]);
    let mut direct = site.browser();
    direct.keep("__Host-sid", &reply.body);
    assert_eq!(
        direct.read("a").await,
        Some(1),
        "the jar has what the client gets"
    );

    let set = direct.write("b", 1).await;
    set.is_ok_without_cookie();
    let clear = serve(WizSession::clear);
    let reply = browser.send(clear, Request::default()).await;
    let ours = |line: &&String| line.starts_with("__Host-sid=");
    let lines = reply.lines(SET_COOKIE);
    let removal = "__Host-sid=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0";
    assert_eq!(lines.iter().filter(ours).collect::<Vec<_>>(), [removal]);
    assert_eq!(reply.body, "");
    assert_eq!(site.sessions().await, 0);
}

/// `encodeURIComponent` of a server that forwards, a jar, a bearer token: the session is the same.
#[tokio::test]
async fn no_encoder_on_the_way_changes_the_value() {
    let site = Site::new();
    let browser = site.visitor().await;
    let value = browser.value();

    let strictest = url_encoded(value);
    assert_eq!(strictest, value);

    let jar = Cookies::default();
    jar.add(Cookie::new("__Host-sid", value.to_owned()));
    let kept = jar.get("__Host-sid").expect("it was added");
    assert_eq!(
        (kept.value(), kept.encoded().to_string()),
        (value, kept.to_string())
    );

    let bearer = format!("Bearer {value}");
    let token = bearer.strip_prefix("Bearer ").expect("a token");
    let line = format!("__Host-sid={token}");
    let mut read = None;
    let handler = async |session: WizSession| read = session.get::<u32>("a").expect("a number");
    site.visit_with(&[line.as_bytes()], handler).await;
    assert_eq!(read, Some(1));
}

/// Leaves fewer characters alone than `encodeURIComponent` does.
fn url_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

#[tokio::test]
async fn a_cookie_jar_below_stays_out_of_it() {
    let site = Site::new();
    let handler = async |session: WizSession, jar: Cookies| {
        jar.add(Cookie::new("theme", "dark"));
        session
            .update("n", |n: &mut u32| *n += 1)
            .map(|n| n.to_string())
    };
    let router = Router::new()
        .route("/", get(handler))
        .layer(site.layer.clone())
        .layer(CookieManagerLayer::new())
        .layer(site.layer.clone());
    let mut browser = site.browser();
    let reply = browser.send(router.clone(), Request::default()).await;
    let names: Vec<_> = reply
        .cookies()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    assert_eq!(names, ["theme", "__Host-sid"]);
    let reply = browser.send(router, Request::default()).await;
    assert_eq!((reply.body.as_str(), reply.cookie().name()), ("2", "theme"));
    let service = site
        .layer
        .layer(CookieManagerLayer::new().layer(handle(async |session| {
            session.clear();
        })));
    let reply = browser.send(service, Request::default()).await;
    let lines = reply.lines(SET_COOKIE);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("__Host-sid=;"));
}
