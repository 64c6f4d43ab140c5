use std::sync::Arc;

use reqwest::{
    Client, Url,
    cookie::{CookieStore, Jar},
};
use serde_json::{Value, json};
use wiz_session::flask::{FlaskBridge, FlaskBridgeBuilder};

use crate::{here, there::There};

pub(crate) const KEY: &str = "a key that both have";

/// Both applications, and a browser that visits them by one host name.
pub(crate) struct Visitor {
    client: Client,
    jar: Arc<Jar>,
    here: u16,
    there: u16,
}

impl Visitor {
    /// All keys are shared.
    pub(crate) async fn of(there: &There) -> Self {
        Self::with(there, FlaskBridgeBuilder::share_all).await
    }

    pub(crate) async fn with(
        there: &There,
        settings: impl FnOnce(FlaskBridgeBuilder) -> FlaskBridgeBuilder,
    ) -> Self {
        let bridge = settings(FlaskBridge::builder(KEY))
            .build()
            .expect("right settings");
        Self::at(here::start(bridge).await, there.port)
    }

    pub(crate) fn at(here: u16, there: u16) -> Self {
        let jar = Arc::new(Jar::default());
        let client = Client::builder().cookie_provider(Arc::clone(&jar));
        Self {
            client: client.build().expect("a plain client"),
            jar,
            here,
            there,
        }
    }

    /// The same browser, after something there was replaced.
    pub(crate) fn moved_to(&self, there: &There) -> Self {
        Self {
            client: self.client.clone(),
            jar: Arc::clone(&self.jar),
            here: self.here,
            there: there.port,
        }
    }

    /// Runs this in Python, and gives `repr` of the session after it.
    pub(crate) async fn there(&self, code: &str) -> String {
        let url = format!("http://127.0.0.1:{}/", self.there);
        let request = self.client.post(url).form(&[("code", code)]);
        let answer = request.send().await.expect("Python answers");
        assert_eq!(answer.status(), 200, "{code}");
        answer.text().await.expect("text")
    }

    pub(crate) async fn here(&self, path: &str) -> Value {
        self.send(path, &Value::Null).await
    }

    pub(crate) async fn set(&self, key: &str, value: &Value) {
        self.send(&format!("set/{key}"), value).await;
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.send(path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/{path}", self.here);
        let answer = self.client.get(url).send().await.expect("it answers");
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.expect("text");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn send(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://127.0.0.1:{}/{path}", self.here);
        let answer = self
            .client
            .post(url)
            .json(body)
            .send()
            .await
            .expect("it answers");
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.expect("text");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn user(&self) -> Value {
        self.here("show").await["user"].take()
    }

    pub(crate) async fn values(&self) -> Value {
        self.here("show").await["values"].take()
    }

    /// The cookies that it has, by their names.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let url: Url = "http://127.0.0.1/".parse().expect("a URL");
        let line = self.jar.cookies(&url);
        let line = line.map_or_else(String::new, |line| line.to_str().expect("ASCII").to_owned());
        let names = line
            .split("; ")
            .filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    pub(crate) fn has_no_login(&self, seen: &Value) -> bool {
        *seen == json!({ "user": null, "values": {} })
    }
}
