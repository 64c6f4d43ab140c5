//! The pages that need a login.

use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, send};
use crate::server::Server;

#[tokio::test]
async fn a_visitor_is_sent_to_log_in_and_the_path_is_remembered() {
    let server = Server::start();
    for path in [
        "/dashboard",
        "/profile",
        "/admin",
        "/dashboard/",
        "/dashboard/x",
        "/profile/a/b",
        "/admin/unknown",
    ] {
        let browser = Browser::new(&server);
        let answer = browser.get(path).await.expect(303);
        assert_eq!(answer.header("location"), "/login");
        assert!(answer.set_cookie().is_some());
        assert_eq!(
            browser.session().await,
            json!({ "redirect_after_login": path })
        );

        let again = browser.get(path).await.expect(303);
        assert_eq!(again.set_cookie(), None);
        assert_eq!(browser.log_in_as_alice().await.json()["redirect"], path);
    }
}

#[tokio::test]
async fn every_method_is_protected() {
    let server = Server::start();
    let browser = Browser::new(&server);
    // A question for what may be asked reveals nothing, and begins no session.
    let answer = send(browser.request(Method::OPTIONS, "/dashboard"))
        .await
        .expect_error(405);
    assert_eq!(answer.set_cookie(), None);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::HEAD] {
        send(browser.request(method, "/dashboard"))
            .await
            .expect(303);
    }

    browser.log_in_as_alice().await;
    let answer = send(browser.request(Method::POST, "/dashboard"))
        .await
        .expect_error(405);
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn a_name_that_only_begins_alike_is_not_protected() {
    let server = Server::start();
    let browser = Browser::new(&server);
    for path in ["/dashboardx", "/profiles/1", "/administrator", "/x/admin"] {
        let answer = browser.get(path).await.expect_error(404);
        assert_eq!(answer.set_cookie(), None);
    }
}

#[tokio::test]
async fn members_see_their_pages_and_only_admins_the_admin_page() {
    let server = Server::start();
    let bob = Browser::new(&server);
    bob.log_in_as_bob().await;
    let answer = bob.get_json("/dashboard").await.expect(200);
    assert_eq!(answer.json()["user"]["name"], "Bob");
    bob.get("/profile").await.expect(200);
    bob.get("/dashboard/unknown").await.expect_error(404);
    for path in ["/admin", "/admin/", "/admin/unknown"] {
        let answer = bob.get(path).await.expect_error(403);
        assert_eq!(answer.set_cookie(), None);
    }
    assert!(bob.session().await.get("redirect_after_login").is_none());

    let alice = Browser::new(&server);
    alice.log_in_as_alice().await;
    alice.get("/admin").await.expect(200);
    alice.get("/admin/unknown").await.expect_error(404);
}
