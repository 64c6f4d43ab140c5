//! The cart.

use crate::{browser::Browser, server::Server};

#[tokio::test]
async fn stays_across_a_reload_and_a_login() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.until_shown("#cart-empty").await;
    browser.add_to_cart(7).await;
    browser.add_to_cart(4).await;
    let both = ["상품 7", "상품 4"];
    assert_eq!(browser.cart().await, both);
    assert_eq!(browser.text("#cart-total").await, "₩11,000");

    browser.reload().await;
    assert_eq!(browser.cart().await, both);
    browser.log_in_as_alice().await;
    assert_eq!(browser.cart().await, both);

    browser.click("#cart li:first-child button").await;
    assert_eq!(browser.cart().await, ["상품 4"]);
    browser.click("#clear-cart").await;
    browser.until_shown("#cart-empty").await;
    browser.reload().await;
    assert_eq!(browser.cart().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_done_is_told_and_the_notice_goes() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.add_to_cart(5).await;
    let notice = browser.eval("document.getElementById('notice').textContent");
    assert_eq!(notice.await, "장바구니에 담았습니다.");
    browser
        .until("!document.getElementById('notice').checkVisibility({ visibilityProperty: true })")
        .await;
}

#[tokio::test]
async fn two_tabs_that_add_at_the_same_time_lose_nothing() {
    let server = Server::start();
    let browser = Browser::open(&server).await;
    browser.add_to_cart(1).await;
    let one = browser.tab().await;
    let two = browser.new_tab().await;
    browser
        .script(
            "window.channel = new BroadcastChannel('go');
             window.channel.onmessage = ({ data }) => {
               document.getElementById('product').value = data;
               document.getElementById('add').requestSubmit();
             };",
        )
        .await;

    let mut expected = vec!["상품 1".to_owned()];
    for round in 1..=4 {
        let (here, there) = (2 * round, 2 * round + 1);
        expected.extend([format!("상품 {here}"), format!("상품 {there}")]);
        browser.switch_to(&one).await;
        browser
            .script(&format!(
                "new BroadcastChannel('go').postMessage('{there}');
                 document.getElementById('product').value = '{here}';
                 document.getElementById('add').requestSubmit();"
            ))
            .await;
        // Each tab shows its own product when its request is done.
        shows(&browser, &format!("상품 {here}")).await;
        browser.switch_to(&two).await;
        shows(&browser, &format!("상품 {there}")).await;
    }

    for tab in [one, two] {
        browser.switch_to(&tab).await;
        browser.reload().await;
        let mut cart = browser.cart().await;
        cart.sort();
        assert_eq!(cart, expected);
    }
}

async fn shows(browser: &Browser, product: &str) {
    browser
        .until(&format!(
            "[...document.querySelectorAll('#cart li > :first-child')].some((e) => e.innerText === '{product}')"
        ))
        .await;
    browser.settled().await;
}
