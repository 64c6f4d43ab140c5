//! A client that keeps cookies.

use axum::{Router, body::Body};
use http::{
    HeaderMap, Request, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use tower_service::Service;

/// Cookies, by name. A clone goes its own way.
#[derive(Clone, Default, PartialEq)]
pub struct Browser {
    cookies: Vec<(String, String)>,
}

pub struct Answer {
    pub status: StatusCode,
    pub body: String,
    set: Vec<(String, String)>,
}

impl Browser {
    /// Asks, and keeps the cookies of the answer.
    pub async fn get(&mut self, app: &Router, path: &str) -> Answer {
        let answer = self.ask(app, path).await;
        self.keep(&answer);
        answer
    }

    /// Asks, and keeps nothing yet.
    pub async fn ask(&self, app: &Router, path: &str) -> Answer {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = Request::get(path);
        if !pairs.is_empty() {
            request = request.header(COOKIE, pairs.join("; "));
        }
        let request = request.body(Body::empty()).expect("it is a request");
        let Ok(response) = app.clone().call(request).await;
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1_000).await;
        Answer {
            status: head.status,
            set: set_cookies(&head.headers),
            body: String::from_utf8(body.expect("it is in memory").to_vec()).expect("it is text"),
        }
    }

    pub fn keep(&mut self, answer: &Answer) {
        for (name, value) in &answer.set {
            self.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.cookies.push((name.clone(), value.clone()));
            }
        }
    }
}

impl Answer {
    pub fn sets_cookies(&self) -> bool {
        !self.set.is_empty()
    }

    pub fn number(&self) -> usize {
        let number = self.body.parse();
        number.unwrap_or_else(|_| panic!("{} {}", self.status, self.body))
    }
}

/// Names and values; a removed cookie's value is empty.
fn set_cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(SET_COOKIE).iter();
    lines
        .map(|line| {
            let line = line.to_str().expect("cookies are ASCII");
            let pair = line.split(';').next().expect("split gives a first part");
            let (name, value) = pair.split_once('=').expect("a cookie has a value");
            let removed = line.contains("Max-Age=0");
            let value = if removed { "" } else { value };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}
