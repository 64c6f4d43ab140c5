//! The registration over three screens.

use crate::{browser::Browser, server::Server};

#[tokio::test]
async fn three_screens_that_survive_a_reload() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.fill("#step1 [name=name]", "김하나").await;
    browser
        .fill("#step1 [name=email]", "hana@example.com")
        .await;
    browser.click("#step1 [type=submit]").await;
    browser.until_shown("#step2").await;
    assert_eq!(browser.text("#steps [aria-current=step]").await, "연락처");

    browser.reload().await;
    browser.until_shown("#step2").await;
    // Back, and what was entered is there.
    browser.click("#step2 [data-back]").await;
    assert_eq!(
        browser
            .eval("document.querySelector('#step1 [name=name]').value")
            .await,
        "김하나"
    );
    browser.fill("#step1 [name=name]", "김두리").await;
    browser.click("#step1 [type=submit]").await;

    browser.fill("#step2 [name=phone]", "010-1234-5678").await;
    browser.fill("#step2 [name=address]", "서울시 종로구").await;
    browser.click("#step2 [type=submit]").await;
    browser.until_shown("#step3").await;
    for (fact, text) in [
        ("#sum-name", "김두리"),
        ("#sum-email", "hana@example.com"),
        ("#sum-phone", "010-1234-5678"),
        ("#sum-address", "서울시 종로구"),
    ] {
        assert_eq!(browser.text(fact).await, text);
    }

    browser.click("#step3 [type=submit]").await;
    browser.until_text("#who", "김두리").await;
    browser.until_shown("#step1").await;
    browser.go("/profile").await;
    assert_eq!(browser.text("#phone").await, "010-1234-5678");
    assert_eq!(browser.text("#address").await, "서울시 종로구");
}
