//! A visitor with a real browser: what they do, and what they wait for.

use std::time::{Duration, Instant};

use fantoccini::{
    Client, ClientBuilder,
    actions::{InputSource, KeyAction, KeyActions},
    cookies::Cookie,
    elements::Element,
    key::Key,
    wd::WindowHandle,
};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};

use crate::{chromium::Context, driver, server::Server};

const PATIENCE: Duration = Duration::from_secs(60);

const SETTLED: &str =
    "document.readyState === 'complete' && !document.querySelector('[aria-busy=true]')";

/// How WebDriver writes an element: an object with this key.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A Chromium that knows nothing yet, at one site. It is closed on drop, also by a panic.
pub(crate) struct Browser {
    client: Client,
    session: String,
    root: Url,
    // Dropped after the driver has let go.
    context: Context,
}

impl Browser {
    /// Opens the start page of an example server.
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_at(&server.url("/")).await
    }

    /// Opens the start page at this address.
    pub(crate) async fn open_at(root: &str) -> Self {
        Self::in_context(Context::new(root), root).await
    }

    /// In a window that is being opened at this address.
    pub(crate) async fn in_context(context: Context, root: &str) -> Self {
        let root: Url = root.parse().expect("a URL");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(context.capabilities())
            .connect(&driver::url())
            .await
            .expect("the driver finds Chromium");
        let session = client.session_id().await.expect("a client");
        let browser = Self {
            client,
            session: session.expect("a session of the driver"),
            root,
            context,
        };
        browser.arrive("/").await;
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
        self.until(SETTLED).await;
    }

    /// Waits until this page is open and filled.
    pub(crate) async fn arrive(&self, path: &str) {
        self.until(&format!("location.pathname === '{path}' && {SETTLED}"))
            .await;
    }

    /// Waits until a JavaScript expression is true, or something else that is not false, and gives it.
    pub(crate) async fn until(&self, condition: &str) -> Value {
        let start = Instant::now();
        let wait = wait_for(condition);
        loop {
            // A page that is just being left has no answer; the driver puts the next question to the new one.
            match self.client.execute(&wait, vec![]).await {
                Ok(value) if value != false => return value,
                result => assert!(
                    start.elapsed() < PATIENCE,
                    "waited in vain for {condition}: {result:?}\nthe page says: {}",
                    self.text("body").await
                ),
            }
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
        let found = format!(
            "{} && document.querySelector({})",
            is_shown(css),
            json!(css)
        );
        let id = self.until(&found).await[ELEMENT].take();
        let id = id.as_str().expect("an element's id").to_owned();
        Element::from_element_id(self.client.clone(), id.into())
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
        if self
            .eval(&format!("document.querySelector({}).value", json!(css)))
            .await
            != ""
        {
            field.clear().await.expect("a field");
        }
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
        let tab =
            WindowHandle::try_from(self.context.new_tab(self.root.as_str())).expect("a handle");
        self.switch_to(&tab).await;
        self.arrive("/").await;
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
            driver::url(),
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

/// A promise of what is waited for. The page looks again at whatever may bring it; `false` is that nothing did.
fn wait_for(condition: &str) -> String {
    // Less than a driver lets a script run.
    let patience = PATIENCE.as_millis() / 4;
    format!(
        "return new Promise((resolve) => {{
           const events = ['readystatechange', 'resize', 'transitionend'];
           const value = () => {{ try {{ return {condition} || false; }} catch {{ return false; }} }};
           const look = () => {{
             const found = value();
             if (found) end(found);
           }};
           const end = (result) => {{
             changes.disconnect();
             clearTimeout(late);
             for (const event of events) removeEventListener(event, look, true);
             resolve(result);
           }};
           const changes = new MutationObserver(look);
           const late = setTimeout(() => end(value()), {patience});
           changes.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
           for (const event of events) addEventListener(event, look, true);
           look();
         }})"
    )
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
        // The driver may be gone.
        let _ = driver::detach(&self.session);
    }
}
