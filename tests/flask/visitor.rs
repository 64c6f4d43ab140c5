use std::sync::Arc;

use reqwest::{
    Client, Url,
    cookie::{CookieStore, Jar},
};
use serde_json::{Value, json};
use wiz_session::flask::{FlaskBridge, FlaskBridgeBuilder};

use crate::{here, there::There};

fn host() -> Url {
    "http://127.0.0.1/".parse().expect("a URL")
}

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

    /// The value of a cookie that it has.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let line = self.jar.cookies(&host())?;
        let line = line.to_str().expect("ASCII").to_owned();
        let mut pairs = line.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(other, value)| (other == name).then(|| value.to_owned()))
    }

    /// Plants a cookie, or removes it.
    pub(crate) fn plant(&self, name: &str, value: Option<&str>) {
        let line = match value {
            Some(value) => format!("{name}={value}; Path=/"),
            None => format!("{name}=; Path=/; Max-Age=0"),
        };
        self.jar.add_cookie_str(&line, &host());
    }

    /// The status of a request here.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        let url = format!("http://127.0.0.1:{}/{path}", self.here);
        let answer = self.client.post(url).send().await.expect("it answers");
        answer.status().as_u16()
    }

    /// Sends Flask's site a signal, outside of the sessions.
    pub(crate) async fn signal(&self, name: &str) {
        let url = format!("http://127.0.0.1:{}/{name}", self.there);
        let answer = self.client.post(url).send().await.expect("Python answers");
        assert_eq!(answer.status(), 200, "{name}");
    }

    /// Sets a key to this JSON, every digit of it.
    pub(crate) async fn set_raw(&self, key: &str, json: &str) {
        let url = format!("http://127.0.0.1:{}/set/{key}", self.here);
        let request = self.client.post(url).body(json.to_owned());
        let request = request.header("content-type", "application/json");
        let answer = request.send().await.expect("it answers");
        assert_eq!(answer.status(), 200, "{key}");
    }

    /// One value, as it is kept.
    pub(crate) async fn raw(&self, key: &str) -> String {
        let url = format!("http://127.0.0.1:{}/raw/{key}", self.here);
        let answer = self.client.post(url).send().await.expect("it answers");
        answer.text().await.expect("text")
    }

    /// What Flask runs in the middle of a request here that changes a key.
    pub(crate) async fn meet(&self, key: &str, code: &str) {
        let url = format!("http://127.0.0.1:{}/meet/{}/{key}", self.here, self.there);
        let request = self.client.post(url).body(code.to_owned());
        let answer = request.send().await.expect("it answers");
        assert_eq!(answer.status(), 200, "{key}");
    }

    /// The cookies that it has, by their names.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let line = self.jar.cookies(&host());
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
