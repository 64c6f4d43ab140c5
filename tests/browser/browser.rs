//! A visitor with a real browser: what they do, and what they wait for.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    cookies::Cookie,
    elements::Element,
    key::Key,
    wd::WindowHandle,
};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};

use crate::{chrome, server::Server};

const PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(25);

/// A Chromium with a profile of its own, at one site. It is closed on drop, also by a panic.
pub(crate) struct Browser {
    client: Client,
    session: String,
    profile: PathBuf,
    root: Url,
}

impl Browser {
    /// Opens the start page of an example server.
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_at(&server.url("/")).await
    }

    /// Opens the start page at this address.
    pub(crate) async fn open_at(root: &str) -> Self {
        let profile = chrome::profile();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(chrome::capabilities(&profile))
            .connect(&chrome::driver_url())
            .await
            .expect("Chromium starts");
        let session = client.session_id().await.expect("a client");
        let browser = Self {
            client,
            session: session.expect("a session of the driver"),
            profile,
            root: root.parse().expect("a URL"),
        };
        browser.go("/").await;
        browser
    }

    /// Goes to a page and waits until its scripts have filled it.
    pub(crate) async fn go(&self, path: &str) {
        let url = self.root.join(path).expect("a path");
        self.client.goto(url.as_str()).await.expect("a page");
        self.settled().await;
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.expect("a page");
        self.settled().await;
    }

    /// The browser's back button.
    pub(crate) async fn back(&self) {
        self.client.back().await.expect("a history");
        self.settled().await;
    }

    /// Waits until no script is at work.
    pub(crate) async fn settled(&self) {
        self.until(
            "document.readyState === 'complete' && !document.querySelector('[aria-busy=true]')",
        )
        .await;
    }

    /// Waits until this page is open and filled.
    pub(crate) async fn arrive(&self, path: &str) {
        self.until(&format!("location.pathname === '{path}'")).await;
        self.settled().await;
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn until(&self, condition: &str) {
        let start = Instant::now();
        loop {
            // A page that is just being left has no answer.
            let result = self
                .client
                .execute(&format!("return {condition}"), vec![])
                .await;
            if matches!(result, Ok(Value::Bool(true))) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "waited in vain for {condition}: {result:?}\nthe page says: {}",
                self.text("body").await
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the page shows an element.
    pub(crate) async fn until_shown(&self, css: &str) {
        self.until(&is_shown(css)).await;
    }

    /// Waits until a person reads this there.
    pub(crate) async fn until_text(&self, css: &str, text: &str) {
        self.until(&format!("{} === {}", read(css), json!(text)))
            .await;
    }

    /// The value of a JavaScript expression.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        self.script(&format!("return {expression}")).await
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        let result = self.client.execute(script, vec![]).await;
        result.unwrap_or_else(|error| panic!("{error} in {script}"))
    }

    /// What a promise gives.
    pub(crate) async fn resolve(&self, promise: &str) -> Value {
        let script =
            format!("const done = arguments[0]; ({promise}).then(done, (e) => done(`${{e}}`))");
        let result = self.client.execute_async(&script, vec![]).await;
        result.unwrap_or_else(|error| panic!("{error} in {promise}"))
    }

    async fn find(&self, css: &str) -> Element {
        self.until_shown(css).await;
        let found = self.client.find(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css}: {error}"))
    }

    /// Clicks, and waits until what that started is done.
    pub(crate) async fn click(&self, css: &str) {
        let clicked = self.find(css).await.click().await;
        clicked.unwrap_or_else(|error| panic!("{css} cannot be clicked: {error}"));
        self.settled().await;
    }

    /// Types into a field that may hold something.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// What a person reads there; nothing where it is hidden.
    pub(crate) async fn text(&self, css: &str) -> String {
        let text = self.eval(&read(css)).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses a key, where the focus is.
    pub(crate) async fn press(&self, key: Key) {
        let value = key.into();
        let press = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client.perform_actions(press).await.expect("a key");
    }

    /// Types, where the focus is.
    pub(crate) async fn type_text(&self, text: &str) {
        let focused = self.client.active_element().await.expect("a focus");
        focused.send_keys(text).await.expect("a field");
    }

    /// The page as it is just now.
    pub(crate) async fn source(&self) -> String {
        self.client.source().await.expect("a page")
    }

    /// A cookie in the browser's own store.
    pub(crate) async fn cookie(&self, name: &str) -> Option<Cookie<'static>> {
        let cookies = self.client.get_all_cookies().await.expect("cookies");
        cookies.into_iter().find(|cookie| cookie.name() == name)
    }

    /// The tab that is looked at.
    pub(crate) async fn tab(&self) -> WindowHandle {
        self.client.window().await.expect("a tab")
    }

    /// Opens the start page in another tab and looks at that.
    pub(crate) async fn new_tab(&self) -> WindowHandle {
        let tab = self.client.new_window(true).await.expect("a tab").handle;
        self.switch_to(&tab).await;
        self.go("/").await;
        tab
    }

    pub(crate) async fn switch_to(&self, tab: &WindowHandle) {
        let switched = self.client.switch_to_window(tab.clone()).await;
        switched.expect("the tab is there");
    }

    /// What is seen, as a PNG.
    pub(crate) async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture")
    }

    /// A command of the DevTools protocol, for what WebDriver has none.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let url = format!(
            "{}/session/{}/goog/cdp/execute",
            chrome::driver_url(),
            self.session
        );
        let answer = reqwest::Client::new()
            .post(url)
            .json(&json!({ "cmd": command, "params": parameters }))
            .send()
            .await
            .expect("the driver answers");
        assert!(answer.status().is_success(), "{command}: {answer:?}");
        answer.json::<Value>().await.expect("JSON")["value"].take()
    }
}

/// What visitors of the example do again and again.
impl Browser {
    pub(crate) async fn log_in(&self, email: &str, password: &str) {
        self.fill("#login [name=email]", email).await;
        self.fill("#login [name=password]", password).await;
        self.click("#login button").await;
    }

    /// Logs in on the start page.
    pub(crate) async fn log_in_as_alice(&self) {
        self.log_in("alice@example.com", "wonderland").await;
        self.until_text("#who", "Alice").await;
    }

    pub(crate) async fn add_to_cart(&self, product: u32) {
        let select = self.find("#product").await;
        let chosen = select.select_by_value(&product.to_string()).await;
        chosen.expect("the product is on offer");
        self.click("#add button").await;
    }

    /// The products in the cart, as the page shows them.
    pub(crate) async fn cart(&self) -> Vec<String> {
        let names = self
            .eval(
                "[...document.querySelectorAll('#cart li > :first-child')].map((e) => e.innerText)",
            )
            .await;
        serde_json::from_value(names).expect("texts")
    }
}

fn is_shown(css: &str) -> String {
    let css = json!(css);
    format!("!!document.querySelector({css})?.checkVisibility({{ visibilityProperty: true }})")
}

fn read(css: &str) -> String {
    let shown = is_shown(css);
    let css = json!(css);
    format!("({shown} ? document.querySelector({css}).innerText : '')")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver may be gone, and Chromium with it.
        let _ = chrome::quit(&self.session);
        // What is left is removed when the tests end.
        let _ = fs::remove_dir_all(&self.profile);
    }
}
