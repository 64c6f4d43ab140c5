use std::convert::Infallible;

use axum::{body::Body, extract::Request};
use http::Response;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{
    WizSession,
    flask::{FlaskBridge, FlaskBridgeBuilder, FlaskCookie, FlaskData},
};

use crate::support::{Browser, Reply, Site};

/// Two applications behind one host name.
pub(super) struct Pair {
    pub(super) site: Site,
    pub(super) bridge: FlaskBridge,
    pub(super) flask: FlaskCookie,
}

pub(super) const KEY: &str = "a key of Flask's";
pub(super) const COOKIE: &str = "session";
pub(super) const OWN_COOKIE: &str = "__Host-sid";

impl Pair {
    /// All keys are shared.
    pub(super) fn new() -> Self {
        Self::with(FlaskBridgeBuilder::share_all)
    }

    pub(super) fn with(settings: impl FnOnce(FlaskBridgeBuilder) -> FlaskBridgeBuilder) -> Self {
        Self {
            site: Site::new(),
            bridge: settings(FlaskBridge::builder(KEY)).build().unwrap(),
            flask: FlaskCookie::builder(KEY).build().unwrap(),
        }
    }

    /// A request here, whose handler does this and answers with this status.
    pub(super) async fn answer<F>(&self, browser: &mut Browser, status: u16, handler: F) -> Reply
    where
        F: Fn(&WizSession) + Clone + Send + Sync + 'static,
    {
        let service = service_fn(move |request: Request| {
            let handler = handler.clone();
            async move {
                let session = WizSession::from_extensions(request.extensions()).await;
                handler(&session.unwrap());
                let response = Response::builder().status(status);
                Ok::<_, Infallible>(response.body(String::new()).unwrap())
            }
        });
        let service = self.site.layer.layer(self.bridge.layer(service));
        let service = service.map_response(|response: Response<_>| response.map(Body::new));
        browser.send(service, Request::default()).await
    }

    pub(super) async fn here<F>(&self, browser: &mut Browser, handler: F) -> Reply
    where
        F: Fn(&WizSession) + Clone + Send + Sync + 'static,
    {
        let reply = self.answer(browser, 200, handler).await;
        assert_eq!(reply.status, 200);
        reply
    }

    /// What a handler here is told.
    pub(super) async fn ask<R: Send + 'static>(
        &self,
        browser: &mut Browser,
        question: impl Fn(&WizSession) -> R + Clone + Send + Sync + 'static,
    ) -> R {
        let (sender, receiver) = std::sync::mpsc::channel();
        let told = move |session: &WizSession| sender.send(question(session)).unwrap();
        self.here(browser, told).await;
        receiver.recv().unwrap()
    }

    pub(super) async fn user(&self, browser: &mut Browser) -> Option<String> {
        self.ask(browser, WizSession::user).await
    }

    pub(super) async fn get(&self, browser: &mut Browser, key: &'static str) -> Option<Value> {
        self.ask(browser, |session| session.get_value(key)).await
    }

    /// What Flask sees.
    pub(super) fn there(&self, browser: &Browser) -> FlaskData {
        let cookie = browser.cookie(COOKIE);
        let data = cookie.and_then(|value| self.flask.decode(value, self.site.clock.now()));
        data.unwrap_or_default()
    }

    /// A request there.
    pub(super) fn change_there(&self, browser: &mut Browser, change: impl FnOnce(&mut FlaskData)) {
        let mut data = self.there(browser);
        change(&mut data);
        match data.is_empty() {
            true => browser.lose(COOKIE),
            false => {
                let value = self.flask.encode(&data, self.site.clock.now());
                browser.keep(COOKIE, &value);
            }
        }
    }

    pub(super) fn set_there(&self, browser: &mut Browser, key: &str, value: Value) {
        self.change_there(browser, |data| data.set(key, value).unwrap());
    }

    pub(super) fn get_there(&self, browser: &Browser, key: &str) -> Option<Value> {
        self.there(browser).get(key).unwrap()
    }

    /// A browser that has been here and there, with this user logged in.
    pub(super) async fn logged_in(&self, user: u64) -> Browser {
        let mut browser = self.site.browser();
        self.set_there(&mut browser, "user_id", user.into());
        assert_eq!(self.user(&mut browser).await, Some(user.to_string()));
        browser
    }
}

pub(super) fn without_key(data: &FlaskData, key: &str) -> FlaskData {
    let mut rest = FlaskData::default();
    for other in data.keys().filter(|other| other != key) {
        rest.set(&other, data.get::<Value>(&other).unwrap())
            .unwrap();
    }
    rest
}
