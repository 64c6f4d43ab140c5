//! Logging in and out.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::Browser;
use crate::server::Server;

#[tokio::test]
async fn logs_in_and_sets_the_documents_keys() {
    let server = Server::start();
    let browser = Browser::new(&server);
    assert_eq!(
        browser.get("/api/check_session").await.expect(200).json(),
        json!({ "logged_in": false })
    );

    let alice =
        json!({ "id": 123, "name": "Alice", "email": "alice@example.com", "is_admin": true });
    assert_eq!(
        browser.log_in_as_alice().await.json(),
        json!({ "message": "Login successful", "user": alice, "redirect": "/" })
    );
    assert_eq!(
        browser.get("/api/check_session").await.expect(200).json(),
        json!({ "logged_in": true, "user": alice })
    );
    assert_eq!(
        browser.session().await,
        json!({ "user_id": 123, "user_email": "alice@example.com", "is_admin": true })
    );
}

#[tokio::test]
async fn logs_in_by_a_form() {
    let server = Server::start();
    let browser = Browser::new(&server);

    let fields = [("email", "bob@example.com"), ("password", "builder")];
    let answer = browser.form("/api/login", &fields).await.expect(200);

    assert_eq!(
        answer.json()["user"],
        json!({ "id": 456, "name": "Bob", "email": "bob@example.com", "is_admin": false })
    );
}

#[tokio::test]
async fn a_login_that_is_remembered_has_a_cookie_of_a_month() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let month = "Max-Age=2592000";
    for (remember, lasts) in [(true, true), (false, false)] {
        let wish =
            json!({ "email": "bob@example.com", "password": "builder", "remember": remember });
        let answer = browser.post("/api/login", wish).await.expect(200);
        let cookie = answer.set_cookie().expect("a new id");
        assert_eq!(cookie.contains(month), lasts, "{cookie}");
    }
    let fields = [
        ("email", "bob@example.com"),
        ("password", "builder"),
        ("remember", "true"),
    ];
    let answer = browser.form("/api/login", &fields).await.expect(200);
    let cookie = answer.set_cookie().expect("a new id");
    assert!(cookie.contains(month), "{cookie}");
}

#[tokio::test]
async fn login_keeps_the_cart_and_kills_the_old_cookie() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let before = browser.cookie().expect("a cookie");

    browser.log_in_as_alice().await;

    assert_ne!(browser.cookie().expect("a cookie"), before);
    assert_eq!(browser.session().await["cart"], json!([7]));
    assert_eq!(
        Browser::with_cookie(&server, &before).session().await,
        json!({})
    );
}

#[tokio::test]
async fn a_write_under_the_old_id_changes_nothing() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let late = Browser::with_cookie(&server, &browser.cookie().expect("a cookie"));
    browser.log_in_as_alice().await;

    let answer = late
        .post("/api/save_step1", json!({ "name": "a", "email": "b" }))
        .await;
    assert_eq!(
        answer.expect(200).set_cookie(),
        None,
        "it would replace the login's cookie"
    );
    let answer = late
        .post("/api/add_to_cart", json!({ "product_id": 8 }))
        .await;
    assert_eq!(answer.expect_error(409).set_cookie(), None);
    assert_eq!(browser.session().await["cart"], json!([7]));
}

#[tokio::test]
async fn wrong_credentials_change_nothing() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.get("/dashboard").await.expect(303);
    let before = (browser.cookie(), browser.session().await);

    for (email, password) in [
        ("alice@example.com", "builder"),
        ("alice@example.com", ""),
        ("nobody@example.com", "wonderland"),
        ("", ""),
    ] {
        let answer = browser.log_in(email, password).await.expect(401);
        assert_eq!(answer.json(), json!({ "error": "Invalid credentials" }));
        assert_eq!(answer.set_cookie(), None);
    }

    assert_eq!((browser.cookie(), browser.session().await), before);
    let stranger = Browser::new(&server);
    assert_eq!(
        stranger
            .log_in("alice@example.com", "")
            .await
            .expect(401)
            .set_cookie(),
        None
    );
}

#[tokio::test]
async fn an_unknown_address_takes_as_long_as_a_known_one() {
    let server = Server::start();
    let browser = Browser::new(&server);

    let known = fastest_refusal(&browser, "alice@example.com").await;
    let unknown = fastest_refusal(&browser, "nobody@example.com").await;

    assert!(unknown > known / 3, "known {known:?}, unknown {unknown:?}");
}

/// The least of some tries, which other work on the machine disturbs least.
async fn fastest_refusal(browser: &Browser, email: &str) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        browser.log_in(email, "wrong").await.expect(401);
        fastest = fastest.min(start.elapsed());
    }
    fastest
}

#[tokio::test]
async fn the_wanted_page_is_used_by_one_login() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.get("/profile").await.expect(303);
    assert_eq!(
        browser.session().await,
        json!({ "redirect_after_login": "/profile" })
    );

    assert_eq!(
        browser.log_in_as_alice().await.json()["redirect"],
        "/profile"
    );
    assert!(
        browser
            .session()
            .await
            .get("redirect_after_login")
            .is_none()
    );
    assert_eq!(browser.log_in_as_alice().await.json()["redirect"], "/");
}

#[tokio::test]
async fn logging_in_again_keeps_the_session_under_a_new_id() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.log_in_as_alice().await;
    browser.add_to_cart(7).await;
    let before = browser.cookie().expect("a cookie");

    assert!(browser.log_in_as_alice().await.set_cookie().is_some());

    assert_eq!(browser.session().await["cart"], json!([7]));
    assert!(!Browser::with_cookie(&server, &before).is_logged_in().await);
}

#[tokio::test]
async fn somebody_else_inherits_nothing() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.log_in_as_alice().await;
    browser.add_to_cart(7).await;
    browser.get("/admin").await.expect(200);

    browser.log_in_as_bob().await;

    assert_eq!(
        browser.session().await,
        json!({ "user_id": 456, "user_email": "bob@example.com", "is_admin": false })
    );
    browser.get("/admin").await.expect_error(403);
}

#[tokio::test]
async fn keys_that_anybody_may_set_give_no_rights() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for (key, value) in [("user_id", json!(123)), ("is_admin", json!(true))] {
        let body = json!({ "key": key, "value": value, "ms": 0 });
        browser.post("/api/slow_set", body).await.expect(200);
    }

    assert!(!browser.is_logged_in().await);
    browser.get("/admin").await.expect(303);
    browser.log_in_as_bob().await;
    assert_eq!(browser.session().await["is_admin"], false);
    browser.get("/admin").await.expect_error(403);
}

#[tokio::test]
async fn logout_ends_the_session_on_the_server() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.log_in_as_alice().await;
    browser.add_to_cart(7).await;
    let before = browser.cookie().expect("a cookie");

    let answer = browser.post("/api/logout", json!({})).await.expect(200);

    assert_eq!(answer.json(), json!({ "message": "Logged out" }));
    assert_eq!(browser.cookie(), None);
    assert_eq!(browser.session().await, json!({}));
    let replayed = Browser::with_cookie(&server, &before);
    assert_eq!(replayed.session().await, json!({}));
    assert!(!replayed.is_logged_in().await);
}

#[tokio::test]
async fn logout_without_a_session_is_fine() {
    let server = Server::start();
    let answer = Browser::new(&server)
        .form("/api/logout", &[])
        .await
        .expect(200);
    assert_eq!(answer.json(), json!({ "message": "Logged out" }));
    assert_eq!(answer.set_cookie(), None);
}

#[tokio::test]
async fn ten_logins_at_once_all_succeed() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    let cookie = browser.cookie().expect("a cookie");

    let logins = (0..10).map(|_| async {
        let browser = Browser::with_cookie(&server, &cookie);
        browser.log_in_as_alice().await;
        browser
    });
    for browser in futures_util::future::join_all(logins).await {
        assert!(browser.is_logged_in().await);
    }
}
