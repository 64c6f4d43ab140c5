//! `examples/site.rs` does what it says.

#[allow(dead_code, reason = "its `main` serves; here a test does")]
#[path = "../../examples/site.rs"]
mod example;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Response, StatusCode, header::SET_COOKIE, redirect::Policy};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};

/// The example, served. It ends with the test's runtime.
struct Site(String);

impl Site {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async { axum::serve(listener, example::app()).await });
        Self(address.to_string())
    }

    fn browser(&self) -> Browser {
        let client = Client::builder().cookie_store(true);
        let client = client.redirect(Policy::none()).build();
        Browser {
            client: client.expect("a client"),
            site: format!("http://{}", self.0),
        }
    }

    async fn logged_in(&self, name: &str, password: &str) -> Browser {
        let browser = self.browser();
        let answer = browser.log_in(name, password).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        browser
    }
}

/// A client that keeps cookies.
struct Browser {
    client: Client,
    site: String,
}

impl Browser {
    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.site));
        request.send().await.expect("an answer")
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.client.post(format!("{}{path}", self.site));
        request.form(form).send().await.expect("an answer")
    }

    async fn log_in(&self, name: &str, password: &str) -> Response {
        let form = [("name", name), ("password", password)];
        self.post("/login", &form).await
    }

    async fn account(&self) -> StatusCode {
        self.get("/account").await.status()
    }

    async fn token(&self, name: &str, password: &str) -> String {
        let request = self.client.post(format!("{}/api/login", self.site));
        let login = json!({ "name": name, "password": password });
        let answer = request.json(&login).send().await.expect("an answer");
        assert_eq!(answer.headers().get(SET_COOKIE), None);
        answer.json().await.expect("a token")
    }
}

fn location(answer: &Response) -> &str {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()["location"].to_str().expect("a path")
}

#[test]
fn it_is_one_file_of_less_than_250_lines() {
    assert!(include_str!("../../examples/site.rs").lines().count() < 250);
}

#[tokio::test]
async fn a_user_logs_in_and_out() {
    let browser = Site::start().await.browser();
    assert_eq!(browser.account().await, StatusCode::UNAUTHORIZED);
    for (name, password) in [("alice", "builder"), ("nobody", "wonderland")] {
        let refused = browser.log_in(name, password).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(refused.headers().get(SET_COOKIE), None);
    }
    let answer = browser.log_in("alice", "wonderland").await;
    assert_eq!(location(&answer), "/account");
    let page = browser.get("/account").await.text().await;
    assert_eq!(page.expect("a page"), "hello, alice\n");
    browser.post("/logout", &[]).await;
    assert_eq!(browser.account().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_role_is_asked_for_and_the_login_leads_back() {
    let site = Site::start().await;
    let bob = site.logged_in("bob", "builder").await;
    assert_eq!(bob.get("/admin").await.status(), StatusCode::FORBIDDEN);
    let alice = site.browser();
    assert_eq!(location(&alice.get("/admin").await), "/login");
    let answer = alice.log_in("alice", "wonderland").await;
    assert_eq!(location(&answer), "/admin");
    assert_eq!(alice.get("/admin").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_remembered_login_outlives_the_browser() {
    let browser = Site::start().await.browser();
    let cookie = |answer: &Response| answer.headers()[SET_COOKIE].to_str().map(str::to_owned);
    let form = [
        ("name", "alice"),
        ("password", "wonderland"),
        ("remember", "on"),
    ];
    let remembered = cookie(&browser.post("/login", &form).await).expect("a cookie");
    assert!(remembered.contains("; Max-Age=2592000"), "{remembered}");
    let forgotten = cookie(&browser.log_in("alice", "wonderland").await).expect("a cookie");
    assert!(!forgotten.contains("Max-Age"), "{forgotten}");
}

#[tokio::test]
async fn log_out_everywhere_ends_all_sessions_of_the_user() {
    let site = Site::start().await;
    let laptop = site.logged_in("alice", "wonderland").await;
    let phone = site.logged_in("alice", "wonderland").await;
    let bob = site.logged_in("bob", "builder").await;
    let answer = laptop.post("/logout/everywhere", &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(laptop.account().await, StatusCode::UNAUTHORIZED);
    assert_eq!(phone.account().await, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.account().await, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let site = Site::start().await;
    let laptop = site.logged_in("alice", "wonderland").await;
    let phone = site.logged_in("alice", "wonderland").await;
    let wrong = [("old", "guess"), ("new", "looking-glass")];
    let refused = laptop.post("/account/password", &wrong).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(phone.account().await, StatusCode::OK);

    let right = [("old", "wonderland"), ("new", "looking-glass")];
    let changed = laptop.post("/account/password", &right).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_eq!(laptop.account().await, StatusCode::OK);
    assert_eq!(
        laptop.get("/admin").await.status(),
        StatusCode::OK,
        "its data stay"
    );
    assert_eq!(phone.account().await, StatusCode::UNAUTHORIZED);
    let refused = phone.log_in("alice", "wonderland").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    site.logged_in("alice", "looking-glass").await;
}

#[tokio::test]
async fn a_mobile_client_has_a_token() {
    let site = Site::start().await;
    let token = site.browser().token("bob", "builder").await;
    let app = site.browser();
    let ask = async |path: &str, token: &str| {
        let request = app.client.get(format!("{}{path}", app.site));
        let answer = request.bearer_auth(token).send().await;
        answer.expect("an answer").status()
    };
    assert_eq!(ask("/account", &token).await, StatusCode::OK);
    assert_eq!(ask("/admin", &token).await, StatusCode::FORBIDDEN);
    assert_eq!(ask("/account", "forged").await, StatusCode::UNAUTHORIZED);
    let logout = app.client.post(format!("{}/logout", app.site));
    logout.bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(ask("/account", &token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_socket_ends_with_its_session() {
    let site = Site::start().await;
    let browser = site.browser();
    let token = browser.token("bob", "builder").await;
    let open = async |token: &str| {
        let address = format!("ws://{}/socket", site.0).parse().expect("a URL");
        let request = ClientRequestBuilder::new(address);
        let request = request.with_header("Authorization", format!("Bearer {token}"));
        tokio_tungstenite::connect_async(request).await
    };
    assert!(open("forged").await.is_err());
    let (mut socket, _) = open(&token).await.expect("it opens");
    socket
        .send(Message::text("hello"))
        .await
        .expect("it is open");
    let answer = socket.next().await.expect("an answer");
    assert_eq!(answer.expect("a message"), Message::text("hello"));

    let elsewhere = site.logged_in("bob", "builder").await;
    elsewhere.post("/logout/everywhere", &[]).await;
    let end = timeout(Duration::from_secs(5), socket.next()).await;
    let Some(Ok(Message::Close(Some(frame)))) = end.expect("it ends at once") else {
        panic!("it says why");
    };
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (4401, "revoked")
    );
}
