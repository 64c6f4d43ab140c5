//! Routes for users alone: `Guard` and the extractor `User`.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    routing::{get, post},
};
use http::{
    Method, StatusCode,
    header::{LOCATION, SET_COOKIE, VARY, WWW_AUTHENTICATE},
};
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{Clock, Guard, User, WizSession, WizSessionLayer};

use crate::support::{Browser, Reply, Site, key};

fn guarded(site: &Site, guard: Guard) -> Router {
    let pages = Router::new().route(
        "/page",
        get(|| async { "for users" }).post(|| async { "done" }),
    );
    Router::new()
        .nest("/area", pages.route_layer(guard))
        .route(
            "/return",
            post(async |session: WizSession| {
                session
                    .take_redirect_after_login()
                    .map(|path| path.unwrap_or("none".to_owned()))
            }),
        )
        .layer(site.layer.clone())
}

async fn ask(browser: &mut Browser, app: &Router, method: Method, uri: &str) -> Reply {
    let request = Request::builder().method(method).uri(uri);
    let request = request.body(axum::body::Body::empty()).unwrap();
    browser.send(app.clone(), request).await
}

async fn open(browser: &mut Browser, app: &Router, uri: &str) -> Reply {
    ask(browser, app, Method::GET, uri).await
}

#[tokio::test]
async fn users_pass_and_visitors_are_answered_401() {
    let site = Site::new();
    let app = guarded(&site, Guard::user());
    let mut visitor = site.visitor().await;
    for browser in [&mut visitor, &mut site.browser()] {
        let reply = open(browser, &app, "/area/page").await;
        assert_eq!(
            (reply.status, &*reply.body),
            (StatusCode::UNAUTHORIZED, "Unauthorized")
        );
        assert_eq!(reply.lines(VARY), ["Cookie"]);
        assert_eq!(reply.lines(SET_COOKIE), [""; 0]);
        assert_eq!(reply.lines(WWW_AUTHENTICATE), [""; 0]);
    }
    let mut alice = site.logged_in("alice").await;
    assert_eq!(open(&mut alice, &app, "/area/page").await.body, "for users");
    assert_eq!(site.store.take_calls().len(), 1, "one load");
    let missing = open(&mut site.browser(), &app, "/area/none").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_leads_to_the_login_and_back() {
    let site = Site::new();
    let app = guarded(&site, Guard::user().login_at("/login"));
    let mut browser = site.browser();
    let reply = open(&mut browser, &app, "/area/page?tab=2&q=%ED%95%9C").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(reply.lines(LOCATION), ["/login"]);
    browser.visit(async |session| session.log_in("alice")).await;
    let back = ask(&mut browser, &app, Method::POST, "/return").await.body;
    assert_eq!(
        back, "/area/page?tab=2&q=%ED%95%9C",
        "the nested router's prefix is in it"
    );
    assert_eq!(
        ask(&mut browser, &app, Method::POST, "/return").await.body,
        "none",
        "once"
    );
    assert_eq!(open(&mut browser, &app, &back).await.body, "for users");
}

#[tokio::test]
async fn what_no_address_can_repeat_is_not_remembered() {
    let site = Site::new();
    let app = guarded(&site, Guard::user().login_at("/login"));
    let mut browser = site.browser();
    let reply = ask(&mut browser, &app, Method::POST, "/area/page").await;
    assert_eq!(
        (reply.status, reply.lines(LOCATION)),
        (StatusCode::SEE_OTHER, vec!["/login".to_owned()])
    );
    open(
        &mut browser,
        &app,
        &format!("/area/page?{}", "q".repeat(3000)),
    )
    .await;
    assert!(!browser.has_cookies(), "no session is begun for it");
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_given_to_nobody() {
    let site = Site::new();
    let guard = Guard::user().login_at("/login");
    let service = site.layer.layer(guard.layer(service_fn(async |_: Request| {
        Ok(axum::response::Response::new(axum::body::Body::from(
            "in".to_owned(),
        )))
    })));
    let mut browser = site.browser();
    let request = Request::builder()
        .uri("//example.com/a")
        .body(axum::body::Body::empty())
        .unwrap();
    let reply = browser.send(service, request).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert!(!browser.has_cookies());
    // A handler that lets its visitors write the key.
    browser.write("redirect_after_login", "//example.com").await;
    let app = guarded(&site, Guard::user());
    assert_eq!(
        ask(&mut browser, &app, Method::POST, "/return").await.body,
        "none"
    );
}

#[tokio::test]
async fn the_path_in_the_query_begins_no_session() {
    let site = Site::new();
    let app = guarded(
        &site,
        Guard::user().login_at("/login").next_in_query("next"),
    );
    let mut browser = site.browser();
    let reply = open(&mut browser, &app, "/area/page?tab=2").await;
    assert_eq!(reply.lines(LOCATION), ["/login?next=/area/page%3Ftab%3D2"]);
    assert!(!browser.has_cookies());
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn a_role_is_asked_of_users_alone() {
    let site = Site::new();
    let is_admin = |session: &WizSession| session.get_or("is_admin", false);
    let app = guarded(&site, Guard::user().when(is_admin).login_at("/login"));
    let mut alice = site.logged_in("alice").await;
    let reply = open(&mut alice, &app, "/area/page").await;
    assert_eq!(
        (reply.status, &*reply.body),
        (StatusCode::FORBIDDEN, "Forbidden")
    );
    alice.write("is_admin", true).await;
    assert_eq!(open(&mut alice, &app, "/area/page").await.body, "for users");
    alice.write("is_admin", "yes").await;
    let reply = open(&mut alice, &app, "/area/page").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    let mut visitor = site.browser();
    visitor.write("is_admin", true).await;
    assert_eq!(
        open(&mut visitor, &app, "/area/page").await.status,
        StatusCode::SEE_OTHER
    );

    let both = Guard::user()
        .when(is_admin)
        .when(|session| Ok(session.contains_key("signed")));
    alice.write("is_admin", true).await;
    let app = guarded(&site, both);
    assert_eq!(
        open(&mut alice, &app, "/area/page").await.status,
        StatusCode::FORBIDDEN
    );
    alice.write("signed", 1).await;
    assert_eq!(
        open(&mut alice, &app, "/area/page").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_login_that_is_not_fresh_has_to_be_repeated() {
    let site = Site::with(|builder| builder.bearer(true));
    let app = guarded(&site, Guard::user().fresh(Duration::from_secs(300)));
    let mut alice = site.logged_in("alice").await;
    site.pass(5);
    assert_eq!(
        open(&mut alice, &app, "/area/page").await.status,
        StatusCode::OK
    );
    site.pass(1);
    let reply = open(&mut alice, &app, "/area/page").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        reply.lines(WWW_AUTHENTICATE),
        [r#"Bearer error="insufficient_user_authentication", max_age="300""#]
    );
    alice.visit(async |session| session.regenerate()).await;
    assert_eq!(
        open(&mut alice, &app, "/area/page").await.status,
        StatusCode::UNAUTHORIZED
    );
    alice.visit(async |session| session.log_in("alice")).await;
    assert_eq!(
        open(&mut alice, &app, "/area/page").await.status,
        StatusCode::OK
    );
    let reply = open(&mut site.browser(), &app, "/area/page").await;
    assert_eq!(reply.lines(WWW_AUTHENTICATE), ["Bearer"]);
}

#[tokio::test]
async fn a_login_at_a_server_whose_clock_is_ahead_is_fresh_unless_it_is_far_ahead() {
    for (minutes, is_fresh) in [(4, true), (6, false)] {
        let ahead = Site::new();
        let behind = WizSessionLayer::builder(ahead.store.clone(), key(1)).clock(Clock::manual());
        ahead.pass(minutes);
        let browser = ahead.logged_in("alice").await;
        let mut fresh = None;
        let look = async |session: WizSession| {
            fresh = Some(session.is_fresh(Duration::from_secs(60)));
        };
        browser.through(behind.build().unwrap()).visit(look).await;
        assert_eq!(fresh, Some(is_fresh), "{minutes} minutes");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_a_missing_layer_says_so() {
    let site = Site::new();
    let app = guarded(&site, Guard::user().login_at("/login"));
    let mut alice = site.logged_in("alice").await;
    site.store.fail_all();
    let reply = open(&mut alice, &app, "/area/page").await;
    assert_eq!(
        (reply.status, &*reply.body),
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
    );

    let app: Router = Router::new()
        .route("/", get(|| async {}))
        .route_layer(Guard::user());
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let reply = app.oneshot(request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_user_is_an_argument() {
    let site = Site::new();
    let app = Router::new()
        .route("/id", get(async |User(id): User<i64>| (id + 1).to_string()))
        .route(
            "/name",
            get(async |user: Option<User>| user.map_or("nobody".to_owned(), |User(name)| name)),
        )
        .layer(site.layer.clone());
    let mut seven = site.logged_in(7).await;
    let mut alice = site.logged_in("alice").await;
    let mut visitor = site.browser();
    assert_eq!(open(&mut seven, &app, "/id").await.body, "8");
    assert_eq!(open(&mut seven, &app, "/name").await.body, "7");
    assert_eq!(
        open(&mut alice, &app, "/id").await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        open(&mut visitor, &app, "/id").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(open(&mut visitor, &app, "/name").await.body, "nobody");
}

#[tokio::test]
async fn a_path_for_which_there_is_no_room_is_forgotten_and_the_login_is_shown() {
    let site = Site::with(|builder| builder.max_bytes(200));
    let app = guarded(&site, Guard::user().login_at("/login"));
    let reply = open(
        &mut site.browser(),
        &app,
        &format!("/area/page?{}", "q".repeat(300)),
    )
    .await;
    assert_eq!(
        (reply.status, reply.lines(LOCATION)),
        (StatusCode::SEE_OTHER, vec!["/login".to_owned()])
    );
}

#[tokio::test]
async fn no_session_is_begun_for_a_client_that_could_not_keep_it() {
    let site = Site::with(|builder| builder.bearer(true));
    let app = guarded(&site, Guard::user().login_at("/login"));
    let token = format!("Bearer {}", "A".repeat(75));
    let request = Request::get("/area/page").header("authorization", token);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let reply = site.browser().send(app, request).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(site.sessions().await, 0);
}

#[test]
fn an_address_that_no_header_can_hold_is_refused_at_once() {
    let refused = |make: fn() -> Guard| std::panic::catch_unwind(make).is_err();
    assert!(refused(|| Guard::user().login_at("/login\nSet-Cookie: a=b")));
    assert!(refused(|| Guard::user().next_in_query("next\r")));
    assert!(!refused(|| Guard::user()
        .login_at("/로그인")
        .next_in_query("다음")));
}
