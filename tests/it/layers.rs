//! Layers on layers: nested, side by side, with a cookie jar, and without axum.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use http::{
    StatusCode,
    header::{COOKIE, SET_COOKIE, VARY},
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_cookies::{Cookie, CookieManagerLayer, Cookies};
use wiz_session::{CookieOptions, Error, WizSession};

use crate::support::{Fault, Site, StoreMethod, handle};

/// Counts the request in, and out again.
async fn count(session: WizSession, request: Request, next: Next) -> Result<Response, Error> {
    session.update("in", |n: &mut u32| *n += 1)?;
    let response = next.run(request).await;
    session.update("out", |n: &mut u32| *n += 1)?;
    Ok(response)
}

#[tokio::test]
async fn nested_layers_of_one_name_share_one_session() {
    let site = Site::new();
    let router = Router::new()
        .route("/", get(async |session: WizSession| session.set("b", 2)))
        .layer(site.layer.clone())
        .layer(from_fn(count))
        .layer(site.layer.clone())
        .layer(from_fn(count))
        .layer(site.layer.clone());
    let mut browser = site.browser();
    let reply = browser.send(router.clone(), Request::default()).await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    assert_eq!(site.store.take_calls(), [StoreMethod::Create]);

    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    assert_eq!(
        (browser.read("in").await, browser.read("out").await),
        (Some(4), Some(4))
    );
    assert_eq!(browser.read("b").await, Some(2));
}

#[tokio::test]
async fn another_layer_of_the_same_cookie_says_so_at_its_first_use() {
    let (outer, inner) = (Site::new(), Site::with(|builder| builder.max_bytes(10)));
    let router = Router::new()
        .route(
            "/used",
            get(async |session: WizSession| session.set("b", 2)),
        )
        .route("/optional", get(async |_: Option<WizSession>| ()))
        .route("/unused", get(async || "fine"))
        .layer(inner.layer.clone())
        .layer(from_fn(count))
        .layer(outer.layer.clone());
    let mut browser = outer.browser();
    for path in ["/used", "/optional"] {
        let reply = browser.send(
            router.clone(),
            Request::get(path).body(Body::empty()).unwrap(),
        );
        let reply = reply.await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(
            reply
                .body
                .contains("two different session layers use the cookie `__Host-sid`")
        );
    }
    let reply = browser
        .send(router, Request::get("/unused").body(Body::empty()).unwrap())
        .await;
    assert_eq!((reply.status, &*reply.body), (StatusCode::OK, "fine"));
    assert_eq!(inner.store.take_calls(), []);
}

#[tokio::test]
async fn each_layer_gives_its_own_session() {
    let shop = Site::with(|builder| builder.cookie(CookieOptions::new("shop")));
    let blog = Site::with(|builder| builder.cookie(CookieOptions::new("blog")));
    let foreign = Site::new();
    let (shop_layer, blog_layer) = (shop.layer.clone(), blog.layer.clone());
    let handler = move |request: Request| {
        let (shop, blog, foreign) = (
            shop_layer.clone(),
            blog_layer.clone(),
            foreign.layer.clone(),
        );
        async move {
            shop.session(request.extensions())
                .await?
                .set("at", "shop")?;
            blog.session(request.extensions())
                .await?
                .set("at", "blog")?;
            let missing = foreign.session(request.extensions()).await.unwrap_err();
            assert!(missing.is_missing_layer());
            Ok::<_, Error>(())
        }
    };
    let router = Router::new()
        .route("/", get(handler))
        .layer(shop.layer.clone())
        .layer(blog.layer.clone());
    let mut browser = shop.browser();
    assert_eq!(
        browser
            .send(router, Request::default())
            .await
            .cookies()
            .len(),
        2
    );
    assert_eq!(browser.read::<String>("at").await.as_deref(), Some("shop"));
}

#[tokio::test]
async fn the_outermost_layer_sees_the_final_status() {
    let site = Site::new();
    let rescue = async |request: Request, next: Next| {
        let response = next.run(request).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        StatusCode::OK
    };
    let fail = async |session: WizSession| {
        session.set("a", 2).unwrap();
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let router = Router::new()
        .route("/", get(fail))
        .layer(site.layer.clone())
        .layer(from_fn(rescue))
        .layer(site.layer.clone());
    let mut browser = site.visitor().await;
    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(2));
}

#[tokio::test]
async fn layers_of_two_names_are_two_sessions() {
    let shop = Site::new();
    let admin = Site::with(|builder| builder.cookie(CookieOptions::new("__Host-admin")));
    let router = Router::new()
        .route(
            "/",
            get(async |session: WizSession| session.set("role", "root")),
        )
        .layer(admin.layer.clone())
        .layer(from_fn(count))
        .layer(shop.layer.clone());
    let mut browser = shop.browser();
    let reply = browser.send(router.clone(), Request::default()).await;
    let names: Vec<_> = reply
        .cookies()
        .iter()
        .map(|cookie| cookie.name().to_owned())
        .collect();
    assert_eq!(names, ["__Host-admin", "__Host-sid"]);
    assert_eq!(reply.lines(VARY), ["Cookie"]);
    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();

    assert_eq!(
        (
            browser.read("in").await,
            browser.read::<String>("role").await
        ),
        (Some(2), None)
    );
    let mut as_admin = browser.at(&admin);
    assert_eq!(as_admin.read("role").await, Some("root".to_owned()));
    assert_eq!(as_admin.read::<u32>("in").await, None);
    as_admin.visit(async |session| session.clear()).await;
    assert_eq!(browser.read("in").await, Some(2), "the other one lives on");
}

#[tokio::test]
async fn all_extractors_of_a_request_are_one_session_loaded_once() {
    let site = Site::new();
    let both = async |one: WizSession, two: WizSession, three: Option<WizSession>| {
        one.set("b", 2)?;
        assert_eq!(two.get("b")?, Some(2));
        assert_eq!(three.unwrap().update("b", |b: &mut u32| *b += 1)?, 3);
        Ok::<_, Error>(())
    };
    let router = Router::new()
        .route("/", get(both))
        .layer(from_fn(count))
        .layer(site.layer.clone());
    let mut browser = site.visitor().await;
    browser
        .send(router, Request::default())
        .await
        .is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Replace]
    );
    assert_eq!(
        (browser.read("b").await, browser.read("out").await),
        (Some(3), Some(1))
    );
}

#[tokio::test]
async fn without_a_layer_the_extractor_names_what_is_missing() {
    let site = Site::new();
    let reply = site
        .browser()
        .send(handle(async |_| ()), Request::default())
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(reply.body.contains("WizSessionLayer"), "{}", reply.body);

    let optional = Router::new().route(
        "/",
        get(async |session: Option<WizSession>| session.is_none().to_string()),
    );
    assert_eq!(
        site.browser().send(optional, Request::default()).await.body,
        "true"
    );
}

#[tokio::test]
async fn an_optional_session_is_no_way_around_a_failing_store() {
    let site = Site::new();
    let optional = get(async |session: Option<WizSession>| session.is_some().to_string());
    let router = Router::new().route("/", optional).layer(site.layer.clone());
    let mut browser = site.visitor().await;
    assert_eq!(
        browser.send(router.clone(), Request::default()).await.body,
        "true"
    );
    site.store.fault(StoreMethod::Load, Fault::Fail);
    let reply = browser.send(router, Request::default()).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn plain_tower_needs_no_axum() {
    let site = Site::new();
    let service = ServiceBuilder::new()
        .layer(site.layer.clone())
        .service(service_fn(async |request: http::Request<u8>| {
            let session = WizSession::from_extensions(request.extensions())
                .await
                .unwrap();
            let sum = session.update("sum", |sum: &mut u8| *sum += 7).unwrap();
            Ok::<_, Infallible>(http::Response::new(sum + request.body()))
        }));
    let first = service
        .clone()
        .oneshot(http::Request::new(1))
        .await
        .unwrap();
    assert_eq!(first.body().clone().into_inner(), Some(8));
    let cookie = first.headers()[SET_COOKIE]
        .to_str()
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let second = http::Request::builder()
        .header(COOKIE, cookie)
        .body(2)
        .unwrap();
    let second = service.oneshot(second).await.unwrap();
    assert_eq!(
        (
            second.body().clone().into_inner(),
            second.headers().get(SET_COOKIE)
        ),
        (Some(16), None)
    );

    let bare = http::Request::new(());
    let error = WizSession::from_extensions(bare.extensions())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("WizSessionLayer"));
}

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

#[tokio::test]
async fn a_refused_commit_takes_the_body_and_what_describes_it_and_leaves_other_headers() {
    let site = Site::new();
    site.store.fault(StoreMethod::Create, Fault::Fail);
    let reply = site
        .browser()
        .visit(async |session| {
            session.set("a", 1)?;
            let headers = [
                ("content-type", "text/plain"),
                ("content-length", "4"),
                ("etag", "1"),
                ("location", "/paid"),
                ("cache-control", "public"),
                ("set-cookie", "theme=dark"),
                ("access-control-allow-origin", "https://shop.example"),
                ("x-request-id", "7"),
            ];
            Ok::<_, Error>((StatusCode::CREATED, headers, Body::from("paid")))
        })
        .await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "")
    );
    let mut kept: Vec<_> = reply.headers.keys().map(|name| name.as_str()).collect();
    kept.sort_unstable();
    assert_eq!(
        kept,
        ["access-control-allow-origin", "vary", "x-request-id"]
    );
}
