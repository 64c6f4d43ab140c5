// The part of the start page that fills and empties the cart.

import { get, post } from "./api.js";
import { byId, element, fill, onClick, onSubmit } from "./dom.js";
import { productName, t, won } from "./text.js";

let products = [];
let removed = () => {};

export async function start(done) {
  products = await get("/api/products");
  onSubmit(byId("add"), async ({ product_id }) => {
    await post("/api/add_to_cart", { product_id: Number(product_id) });
    await done("장바구니에 담았습니다.");
  });
  onClick(byId("hundred"), async () => {
    const all = products.map(({ id }) => post("/api/add_to_cart", { product_id: id }));
    await Promise.all(all);
    const kept = await get("/api/get_cart");
    const missing = products.length - kept.length;
    await done(
      missing === 0
        ? "요청 100개가 한꺼번에 하나씩 담았고, 모두 담겼습니다."
        : "담기지 않은 상품이 있습니다.",
    );
  });
  onClick(byId("clear-cart"), async () => {
    await post("/api/clear_cart");
    await done("장바구니를 비웠습니다.");
    byId("cart-title").focus();
  });
  removed = async () => {
    await done("장바구니에서 뺐습니다.");
    // The button that was pressed is gone.
    byId("cart-title").focus();
  };
}

export function show({ items }) {
  const select = byId("product");
  const chosen = select.value;
  select.replaceChildren(...products.map(option));
  if (chosen) select.value = chosen;

  byId("cart").replaceChildren(...items.map(item));
  const total = items.reduce((sum, product) => sum + product.price, 0);
  fill({ "cart-count": items.length, "cart-total": won(total) });
  byId("cart-empty").hidden = items.length > 0;
  byId("cart-sum").hidden = items.length === 0;
}

const label = (product) => `${productName(product)} · ${won(product.price)}`;

const option = (product) => element("option", { value: product.id, textContent: label(product) });

function item(product) {
  const remove = element("button", { type: "button", className: "plain small", textContent: t("빼기") });
  remove.ariaLabel = `${t("빼기")}: ${productName(product)}`;
  onClick(remove, async () => {
    await post("/api/remove_from_cart", { product_id: product.id });
    await removed();
  });
  return element(
    "li",
    {},
    element("span", { textContent: productName(product) }),
    element("span", { className: "price", textContent: won(product.price) }),
    remove,
  );
}
