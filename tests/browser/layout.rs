//! The pages on a phone and on a desk: nothing sticks out, nothing is too small for a finger, and a picture of each
//! is left for somebody to look at.

use std::{env, fs, path::PathBuf};

use serde_json::json;

use crate::{browser::Browser, server::Server, tour::STOPS};

const PHONE: u32 = 360;
const DESK: u32 = 1280;

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
async fn on_a_phone() {
    fits(PHONE, "light").await;
}

#[tokio::test]
async fn on_a_desk() {
    fits(DESK, "light").await;
}

#[tokio::test]
async fn on_a_phone_in_the_dark() {
    fits(PHONE, "dark").await;
}

#[tokio::test]
async fn on_a_desk_in_the_dark() {
    fits(DESK, "dark").await;
}

async fn fits(width: u32, theme: &str) {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    if theme == "dark" {
        browser.click("[name=theme][value=dark]").await;
        browser.click("[name=language][value=en]").await;
    }
    let elsewhere = Browser::open(&server).await;
    elsewhere.log_in_as_alice().await;
    for stop in STOPS {
        stop.visit(&browser).await;
        resize(&browser, width, 800).await;
        assert_eq!(browser.eval("innerWidth").await, width);
        assert_eq!(browser.eval(OVERFLOW).await, json!([]), "{stop:?}");
        assert_eq!(browser.eval(SMALL).await, json!([]), "{stop:?}");

        let height = browser
            .eval("document.documentElement.scrollHeight")
            .await
            .as_u64()
            .expect("a number");
        resize(&browser, width, height).await;
        let name = format!("{stop:?}-{width}-{theme}.png").to_lowercase();
        fs::write(folder().join(name), browser.screenshot().await).expect("a file");
        resize(&browser, width, 800).await;
    }
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
