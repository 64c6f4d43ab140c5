//! The pages on a phone and on a desk: nothing sticks out, nothing is too small for a finger, and a picture of each
//! is left for somebody to look at.

use std::{env, fs, path::PathBuf};

use serde_json::json;

use crate::{browser::Browser, server::Server, tour::STOPS};

/// A phone and a desk.
const WIDTHS: [u32; 2] = [360, 1280];

/// What reaches beyond the right edge of the screen.
const OVERFLOW: &str = "[
  ...(document.documentElement.scrollWidth > innerWidth ? ['the page'] : []),
  ...[...document.body.querySelectorAll('*')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
    .map((element) => element.outerHTML.slice(0, 120)),
]";

/// Buttons and fields smaller than 24 by 24 pixels (WCAG 2.2, 2.5.8).
const SMALL: &str =
    "[...document.querySelectorAll('button, select, label:has(input), nav a, .links a')]
  .filter((element) => element.checkVisibility({ visibilityProperty: true }))
  .filter((element) => {
    const { width, height } = element.getBoundingClientRect();
    return width < 24 || height < 24;
  })
  .map((element) => element.outerHTML.slice(0, 120))";

#[tokio::test]
async fn in_korean_and_light() {
    fits("light", "ko").await;
}

#[tokio::test]
async fn in_english_and_dark() {
    fits("dark", "en").await;
}

async fn fits(theme: &str, language: &str) {
    let server = Server::start();
    log_in_elsewhere(&server).await;
    let browser = Browser::open(&server).await;
    browser.click(&format!("[name=theme][value={theme}]")).await;
    browser
        .click(&format!("[name=language][value={language}]"))
        .await;
    for stop in STOPS {
        stop.visit(&browser).await;
        for width in WIDTHS {
            resize(&browser, width, 800).await;
            assert_eq!(browser.eval(OVERFLOW).await, json!([]), "{stop:?} {width}");
            assert_eq!(browser.eval(SMALL).await, json!([]), "{stop:?} {width}");

            let height = browser.eval("document.documentElement.scrollHeight").await;
            resize(&browser, width, height.as_u64().expect("a number")).await;
            let name = format!("{stop:?}-{width}-{theme}.png").to_lowercase();
            fs::write(folder().join(name), browser.screenshot().await).expect("a file");
        }
    }
}

#[tokio::test]
async fn a_notice_covers_neither_brand_nor_menu_on_a_phone() {
    const COVERED: &str = "[...document.querySelectorAll('.brand, .bar nav a')].filter((element) => {
      const [a, b] = [element, document.getElementById('notice')].map((e) => e.getBoundingClientRect());
      return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    }).length";
    let server = Server::start();
    let browser = Browser::open(&server).await;
    resize(&browser, 390, 800).await;
    browser.add_to_cart(5).await;
    assert_eq!(browser.eval(COVERED).await, json!(0));
}

#[tokio::test]
async fn what_sticks_out_would_be_found() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    resize(&browser, WIDTHS[0], 800).await;
    browser
        .script("document.querySelector('h1').style.width = '400px'")
        .await;
    let found = browser.eval(OVERFLOW).await;
    assert_eq!(found[0], "the page", "{found}");
    assert!(
        found[1]
            .as_str()
            .is_some_and(|html| html.starts_with("<h1")),
        "{found}"
    );
}

/// So that the panel has something to end.
async fn log_in_elsewhere(server: &Server) {
    let answer = reqwest::Client::new()
        .post(server.url("/api/login"))
        .json(&json!({ "email": "alice@example.com", "password": "wonderland" }))
        .send()
        .await
        .expect("the server answers");
    assert!(answer.status().is_success(), "{answer:?}");
}

/// Windows have a least width; screens as the page sees them have none.
async fn resize(browser: &Browser, width: u32, height: u64) {
    let screen = json!({
        "width": width,
        "height": height,
        "deviceScaleFactor": 1,
        "mobile": false,
    });
    browser
        .devtools("Emulation.setDeviceMetricsOverride", screen)
        .await;
    browser.until(&format!("innerWidth === {width}")).await;
}

/// `target/PROFILE/../screenshots`, as seen from `target/PROFILE/deps/browser-…`.
fn folder() -> PathBuf {
    let test = env::current_exe().expect("the test has a path");
    let target = test.ancestors().nth(3).expect("cargo's target folder");
    let folder = target.join("screenshots");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}
