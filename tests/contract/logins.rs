//! Where a user is logged in: the routes of the page's panel.

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, send};
use crate::server::{Server, command};

async fn logins(browser: &Browser) -> Vec<Value> {
    let answer = browser.get("/api/sessions").await.expect(200);
    assert_eq!(answer.set_cookie(), None);
    answer.json()["sessions"]
        .as_array()
        .expect("a list")
        .clone()
}

async fn current_handle(browser: &Browser) -> String {
    let logins = logins(browser).await;
    let current: Vec<_> = logins.iter().filter(|l| l["current"] == true).collect();
    assert_eq!(current.len(), 1, "{logins:?}");
    current[0]["handle"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_visitor_has_none_and_ends_none() {
    let server = Server::start();
    let visitor = Browser::new(&server);
    assert_eq!(logins(&visitor).await, Vec::<Value>::new());
    visitor.add_to_cart(1).await;
    assert_eq!(logins(&visitor).await, Vec::<Value>::new());

    let handle = json!({ "handle": "0".repeat(32) });
    visitor
        .post("/api/sessions/revoke", handle)
        .await
        .expect_error(401);
    visitor
        .post("/api/sessions/revoke_others", json!({}))
        .await
        .expect_error(401);
}

#[tokio::test]
async fn a_user_sees_their_own_with_this_one_first() {
    let server = Server::start();
    let (one, two, bob) = (
        Browser::new(&server),
        Browser::new(&server),
        Browser::new(&server),
    );
    one.log_in_as_alice().await;
    two.log_in_as_alice().await;
    bob.log_in_as_bob().await;

    for browser in [&one, &two] {
        let logins = logins(browser).await;
        assert_eq!(logins.len(), 2, "{logins:?}");
        assert_eq!(logins[0]["current"], true);
        assert_eq!(logins[1]["current"], false);
        for login in &logins {
            let since = login["since"].as_u64().expect("a number");
            let expires_at = login["expires_at"].as_u64().expect("a number");
            let last_seen = login["last_seen"].as_u64().expect("a number");
            assert!(since <= last_seen && last_seen < expires_at, "{login}");
            assert_eq!(login.as_object().expect("an object").len(), 7, "{login}");
            assert_eq!(login["bound"], false);
        }
    }
    assert_eq!(logins(&bob).await.len(), 1);
}

#[tokio::test]
async fn a_login_is_named_by_its_browser() {
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0";
    let server = Server::start();
    let credentials = json!({ "email": "alice@example.com", "password": "wonderland" });
    for (agent, label) in [
        (FIREFOX.to_owned(), "Firefox on Linux".to_owned()),
        ("a".repeat(3000), "a".repeat(64)),
        (
            "<script>alert(1)</script>".to_owned(),
            "<script>alert(1)<".to_owned(),
        ),
    ] {
        let browser = Browser::new(&server);
        let login = browser
            .request(Method::POST, "/api/login")
            .json(&credentials);
        send(login.header("user-agent", agent)).await.expect(200);
        assert_eq!(logins(&browser).await[0]["label"], label);
    }
}

#[tokio::test]
async fn the_login_that_is_one_too_many_ends_the_oldest() {
    let server = Server::spawn(command().env("MAX_SESSIONS_PER_USER", "2"));
    let browsers = [(); 3].map(|()| Browser::new(&server));
    for browser in &browsers {
        browser.log_in_as_alice().await;
    }
    assert!(!browsers[0].is_logged_in().await);
    assert!(browsers[1].is_logged_in().await && browsers[2].is_logged_in().await);
}

#[tokio::test]
async fn the_handle_is_no_credential() {
    let server = Server::start();
    let alice = Browser::new(&server);
    alice.log_in_as_alice().await;
    let handle = current_handle(&alice).await;
    assert!(!alice.cookie().expect("a cookie").contains(&handle));
    let thief = Browser::with_cookie(&server, &format!("sid={handle}"));
    assert!(!thief.is_logged_in().await);
}

#[tokio::test]
async fn end_another_one_of_ones_own() {
    let server = Server::start();
    let (one, two) = (Browser::new(&server), Browser::new(&server));
    one.log_in_as_alice().await;
    two.log_in_as_alice().await;
    let body = json!({ "handle": current_handle(&two).await });

    let answer = one
        .post("/api/sessions/revoke", body.clone())
        .await
        .expect(200);
    assert_eq!(answer.set_cookie(), None);
    assert!(one.is_logged_in().await);
    assert!(!two.is_logged_in().await);
    assert_eq!(logins(&one).await.len(), 1);
    one.post("/api/sessions/revoke", body)
        .await
        .expect_error(404);
}

#[tokio::test]
async fn nobody_ends_a_session_of_somebody_else() {
    let server = Server::start();
    let (alice, bob) = (Browser::new(&server), Browser::new(&server));
    alice.log_in_as_alice().await;
    bob.log_in_as_bob().await;
    let body = json!({ "handle": current_handle(&bob).await });
    alice
        .post("/api/sessions/revoke", body)
        .await
        .expect_error(404);
    assert!(bob.is_logged_in().await);
}

#[tokio::test]
async fn ending_this_one_is_a_logout() {
    let server = Server::start();
    let alice = Browser::new(&server);
    alice.log_in_as_alice().await;
    let body = json!({ "handle": current_handle(&alice).await });
    let answer = alice.post("/api/sessions/revoke", body).await.expect(200);
    let removal = answer.set_cookie().expect("the cookie is removed");
    assert!(removal.contains("Max-Age=0"), "{removal}");
    assert!(!alice.is_logged_in().await);
    assert_eq!(alice.cookie(), None);
}

#[tokio::test]
async fn end_all_others() {
    let server = Server::start();
    let here = Browser::new(&server);
    let others = [Browser::new(&server), Browser::new(&server)];
    let bob = Browser::new(&server);
    here.log_in_as_alice().await;
    bob.log_in_as_bob().await;
    for other in &others {
        other.log_in_as_alice().await;
    }

    let answer = here
        .post("/api/sessions/revoke_others", json!({}))
        .await
        .expect(200);
    assert_eq!(answer.json(), json!({ "ended": 2 }));
    for other in &others {
        assert!(!other.is_logged_in().await);
    }
    assert!(here.is_logged_in().await);
    assert!(bob.is_logged_in().await);
}

#[tokio::test]
async fn what_is_no_handle_is_refused() {
    let server = Server::start();
    let alice = Browser::new(&server);
    alice.log_in_as_alice().await;
    for body in [
        json!({}),
        json!({ "handle": 7 }),
        json!({ "handle": "deadbeef" }),
        json!({ "handle": "z".repeat(32) }),
    ] {
        alice
            .post("/api/sessions/revoke", body)
            .await
            .expect_error(422);
    }
    assert!(alice.is_logged_in().await);
}
