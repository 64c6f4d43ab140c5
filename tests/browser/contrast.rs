//! The contrast of every text to what is behind it (WCAG 2.2, 1.4.3): at least 4.5 to 1, in both themes.

use serde_json::json;

use crate::{browser::Browser, server::Server, tour::STOPS};

/// The texts whose contrast is too low, and how many were measured.
const MEASURE: &str = "
const rgba = (css) => {
  const [r, g, b, a = 1] = css.match(/[\\d.]+/g).map(Number);
  return { r, g, b, a };
};
const over = (top, under) => {
  const mix = (channel) => top[channel] * top.a + under[channel] * (1 - top.a);
  return { r: mix('r'), g: mix('g'), b: mix('b'), a: 1 };
};
const behind = (element) => {
  if (!element) return { r: 255, g: 255, b: 255, a: 1 };
  const own = rgba(getComputedStyle(element).backgroundColor);
  return own.a === 1 ? own : over(own, behind(element.parentElement));
};
const linear = (value) => {
  const share = value / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
};
const luminance = ({ r, g, b }) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const opacity = (element) =>
  element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1;

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const low = [];
let measured = 0;
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || element.closest('script, noscript, option')) continue;
  if (!element.checkVisibility({ visibilityProperty: true })) continue;
  const ground = behind(element);
  const colour = rgba(getComputedStyle(element).color);
  const ink = over({ ...colour, a: colour.a * opacity(element) }, ground);
  const [dark, light] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
  const ratio = (light + 0.05) / (dark + 0.05);
  measured += 1;
  if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${texts.currentNode.data.trim()}`);
}
for (const field of document.querySelectorAll('input, select')) {
  if (!field.checkVisibility() || ['radio', 'checkbox'].includes(field.type)) continue;
  const ground = behind(field);
  const [dark, light] = [luminance(rgba(getComputedStyle(field).color)), luminance(ground)].sort((a, b) => a - b);
  measured += 1;
  if ((light + 0.05) / (dark + 0.05) < 4.5) low.push(field.outerHTML);
}
return { low, measured };
";

#[tokio::test]
async fn in_the_light_theme() {
    all_texts_are_readable("light").await;
}

#[tokio::test]
async fn in_the_dark_theme() {
    all_texts_are_readable("dark").await;
}

async fn all_texts_are_readable(theme: &str) {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    if theme == "dark" {
        browser.click("[name=theme][value=dark]").await;
    }
    for stop in STOPS {
        stop.visit(&browser).await;
        let shown = browser.eval("document.documentElement.dataset.theme").await;
        assert_eq!(shown, theme, "{stop:?}");
        let result = browser.script(MEASURE).await;
        assert_eq!(result["low"], json!([]), "{stop:?}");
        let measured = result["measured"].as_u64().expect("a number");
        assert!(measured >= 5, "{stop:?}: only {measured} texts");
    }
}

#[tokio::test]
async fn a_pale_text_would_be_found() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser
        .script("document.querySelector('h1').style.color = 'rgb(150, 150, 150)'")
        .await;
    let result = browser.script(MEASURE).await;
    let low = result["low"].as_array().expect("a list");
    assert_eq!(low.len(), 1, "{low:?}");
    assert!(
        low[0].as_str().expect("text").contains("하나의 세션"),
        "{low:?}"
    );
}
