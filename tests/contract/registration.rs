//! Registering in steps.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::server::Server;

const COMPLETE: &str = "/api/complete_registration";

async fn save_both_steps(browser: &Browser, name: &str) {
    let step1 = browser
        .post(
            "/api/save_step1",
            json!({ "name": name, "email": "c@example.com" }),
        )
        .await;
    assert_eq!(
        step1.expect(200).json(),
        json!({ "message": "Step 1 saved" })
    );
    let fields = [("phone", "010-1234"), ("address", "서울 & 1번지")];
    let step2 = browser.form("/api/save_step2", &fields).await;
    assert_eq!(
        step2.expect(200).json(),
        json!({ "message": "Step 2 saved" })
    );
}

#[tokio::test]
async fn creates_the_user_and_logs_them_in_under_a_new_id() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.add_to_cart(7).await;
    save_both_steps(&browser, "Carol").await;
    assert_eq!(
        browser.session().await,
        json!({
            "cart": [7],
            "registration_step1": { "name": "Carol", "email": "c@example.com" },
            "registration_step2": { "phone": "010-1234", "address": "서울 & 1번지" },
        })
    );
    let before = browser.cookie().expect("a cookie");

    let answer = browser.post(COMPLETE, json!({})).await.expect(201);

    let id = answer.json()["id"].as_i64().expect("a number");
    assert_eq!(answer.json(), json!({ "id": id }));
    assert!(answer.set_cookie().is_some());
    assert_eq!(
        browser.session().await,
        json!({ "cart": [7], "user_id": id, "user_email": "c@example.com", "is_admin": false })
    );
    assert_eq!(
        Browser::with_cookie(&server, &before).session().await,
        json!({})
    );
    let profile = browser.get_json("/profile").await.expect(200).json();
    assert_eq!(profile["user"]["name"], "Carol");
    assert_eq!(
        profile["contact"],
        json!({ "phone": "010-1234", "address": "서울 & 1번지" })
    );
}

#[tokio::test]
async fn a_missing_step_is_refused_and_nothing_is_lost() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let answer = browser.post(COMPLETE, json!({})).await.expect_error(400);
    assert_eq!(answer.set_cookie(), None);

    browser
        .post("/api/save_step1", json!({ "name": "Dora", "email": "d" }))
        .await
        .expect(200);
    let answer = browser.post(COMPLETE, json!({})).await.expect_error(400);
    assert_eq!(answer.set_cookie(), None);
    assert_eq!(
        browser.session().await,
        json!({ "registration_step1": { "name": "Dora", "email": "d" } })
    );
}

#[tokio::test]
async fn completing_twice_at_once_creates_one_user() {
    let server = Server::start();
    let browser = Browser::new(&server);
    save_both_steps(&browser, "Once").await;
    let cookie = browser.cookie().expect("a cookie");

    let answers = join_all((0..10).map(|_| async {
        Browser::with_cookie(&server, &cookie)
            .post(COMPLETE, json!({}))
            .await
    }))
    .await;

    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        assert!([400, 409].contains(&answer.status.as_u16()), "{answer:?}");
        assert_eq!(answer.set_cookie(), None);
    }
    let users = browser.get_json("/users").await.expect(200).json();
    let named_once = |user: &&Value| user["name"] == "Once";
    assert_eq!(
        users["users"]
            .as_array()
            .expect("users")
            .iter()
            .filter(named_once)
            .count(),
        1
    );
}

#[tokio::test]
async fn registering_over_a_login_leaves_no_rights() {
    let server = Server::start();
    let browser = Browser::new(&server);
    browser.log_in_as_alice().await;
    save_both_steps(&browser, "Eve").await;

    browser.post(COMPLETE, json!({})).await.expect(201);

    assert_eq!(browser.session().await["is_admin"], false);
    browser.get("/admin").await.expect_error(403);
}

#[tokio::test]
async fn a_borrowed_address_opens_nobodys_account() {
    let server = Server::start();
    let browser = Browser::new(&server);
    let step1 = json!({ "name": "Mallory", "email": "alice@example.com" });
    browser.post("/api/save_step1", step1).await.expect(200);
    browser
        .post("/api/save_step2", json!({ "phone": "", "address": "" }))
        .await
        .expect(200);
    browser.post(COMPLETE, json!({})).await.expect(201);

    browser.get("/admin").await.expect_error(403);
    assert_eq!(
        Browser::new(&server).log_in_as_alice().await.json()["user"]["id"],
        123
    );
}
