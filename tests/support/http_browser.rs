//! A client with a cookie jar, and what it gets.

use std::sync::Arc;

use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};

use crate::server::Server;

/// A visitor, who follows no redirect unless told to.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    jar: Arc<Jar>,
    root: Url,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        let jar = Arc::new(Jar::default());
        let client = Client::builder()
            .cookie_provider(Arc::clone(&jar))
            .redirect(Policy::none())
            .build()
            .expect("a plain client");
        let root = server.url("/").parse().expect("a URL");
        Self { client, jar, root }
    }

    /// A visitor who already holds a cookie, as `sid=…`, or several.
    pub(crate) fn with_cookie(server: &Server, cookie: &str) -> Self {
        let browser = Self::new(server);
        for pair in cookie.split("; ") {
            browser.jar.add_cookie_str(pair, &browser.root);
        }
        browser
    }

    /// The cookies held, as `sid=…`.
    pub(crate) fn cookie(&self) -> Option<String> {
        let cookies = self.jar.cookies(&self.root)?;
        Some(cookies.to_str().expect("ASCII").to_owned())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, self.root.join(path).expect("a path"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// GET as a program that wants JSON.
    pub(crate) async fn get_json(&self, path: &str) -> Answer {
        self.get_as(path, "application/json").await
    }

    /// GET as a person's browser does.
    pub(crate) async fn get_page(&self, path: &str) -> Answer {
        self.get_as(path, "text/html,application/xhtml+xml,*/*;q=0.8")
            .await
    }

    async fn get_as(&self, path: &str, accept: &str) -> Answer {
        send(self.request(Method::GET, path).header("Accept", accept)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        send(self.request(Method::POST, path).form(fields)).await
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post(
            "/api/login",
            json!({ "email": email, "password": password }),
        )
        .await
    }

    pub(crate) async fn log_in_as_alice(&self) -> Answer {
        self.log_in("alice@example.com", "wonderland")
            .await
            .expect(200)
    }

    pub(crate) async fn log_in_as_bob(&self) -> Answer {
        self.log_in("bob@example.com", "builder").await.expect(200)
    }

    pub(crate) async fn add_to_cart(&self, product: i64) -> Answer {
        self.post("/api/add_to_cart", json!({ "product_id": product }))
            .await
            .expect(200)
    }

    /// The whole session.
    pub(crate) async fn session(&self) -> Value {
        self.get("/api/session").await.expect(200).json()
    }

    pub(crate) async fn is_logged_in(&self) -> bool {
        self.get("/api/check_session").await.expect(200).json()["logged_in"] == true
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the server answers");
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.text().await.expect("a body"),
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The same answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// The same answer, if it is an error in the form all errors have.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16) -> Self {
        let answer = self.expect(status);
        let body = answer.json();
        let fields = body.as_object().expect("an object");
        assert_eq!(fields.len(), 1, "{body}");
        assert!(
            fields["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty()),
            "{body}"
        );
        answer
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// A header that is there once, as text.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().expect("ASCII")
    }

    /// The one `Set-Cookie`, if there is any.
    #[track_caller]
    pub(crate) fn set_cookie(&self) -> Option<&str> {
        let cookies: Vec<_> = self.headers.get_all(SET_COOKIE).iter().collect();
        assert!(cookies.len() <= 1, "{cookies:?}");
        Some(cookies.first()?.to_str().expect("ASCII"))
    }
}
