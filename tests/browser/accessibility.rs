//! What a person who cannot see the pages needs: names for everything that can be used, and a structure.

use serde_json::{Value, json};

use crate::{browser::Browser, server::Server, tour::STOPS};

/// What must have a name, by its role.
const CONTROLS: [&str; 8] = [
    "button",
    "checkbox",
    "combobox",
    "link",
    "radio",
    "radiogroup",
    "textbox",
    "listbox",
];

const STRUCTURE: &str = "
const wrong = [];
const check = (right, what) => right || wrong.push(what);
const all = (css) => [...document.querySelectorAll(css)];
check(['ko', 'en'].includes(document.documentElement.lang), 'the language');
check(document.title.trim() !== '', 'the title');
check(all('h1').length === 1, 'one h1');
check(all('main').length === 1, 'one main');
for (const field of all('input, select, textarea')) {
  const labels = [...field.labels].map((label) => label.textContent.trim()).join('');
  check(labels !== '', `no label: ${field.outerHTML}`);
}
for (const image of all('img')) check(image.hasAttribute('alt'), `no alt: ${image.outerHTML}`);
const ids = all('[id]').map((element) => element.id);
check(new Set(ids).size === ids.length, 'an id twice');
for (const element of all('[aria-labelledby]'))
  check(document.getElementById(element.getAttribute('aria-labelledby')), `labelled by nothing: ${element.outerHTML}`);
const levels = all('h1, h2, h3').map((heading) => Number(heading.tagName[1]));
check(levels.every((level, index) => level <= (levels[index - 1] ?? 0) + 1), `headings ${levels}`);
check(all('[role=status][aria-live=polite]').length >= 1, 'nowhere to read out what happens');
return wrong;
";

#[tokio::test]
async fn every_control_has_a_name_and_every_page_a_structure() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    for stop in STOPS {
        stop.visit(&browser).await;
        let wrong = browser.script(STRUCTURE).await;
        assert_eq!(wrong, json!([]), "{stop:?}");
        let (named, nameless) = controls(&browser).await;
        assert_eq!(nameless, Vec::<String>::new(), "{stop:?}");
        assert!(named > 0, "{stop:?} has nothing to use");
    }
}

#[tokio::test]
async fn a_missing_label_would_be_found() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser
        .script("document.querySelector('main').append(document.createElement('input'))")
        .await;
    let wrong = browser.script(STRUCTURE).await;
    assert_eq!(wrong, json!(["no label: <input>"]));
    let (_, nameless) = controls(&browser).await;
    assert_eq!(nameless, ["textbox"]);
}

/// How many controls have a name as a screen reader computes it, and the roles of those that have none.
async fn controls(browser: &Browser) -> (usize, Vec<String>) {
    browser.devtools("Accessibility.enable", json!({})).await;
    let tree = browser
        .devtools("Accessibility.getFullAXTree", json!({}))
        .await;
    let nodes = tree["nodes"].as_array().expect("a tree");
    let controls = nodes.iter().filter(|node| {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        node["ignored"] == false && CONTROLS.contains(&role)
    });
    let (named, nameless): (Vec<&Value>, Vec<&Value>) = controls.partition(|node| {
        let name = node["name"]["value"].as_str().unwrap_or_default();
        !name.trim().is_empty()
    });
    let roles = nameless.iter().map(|node| {
        node["role"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    (named.len(), roles.collect())
}
