// Two languages: the pages are written in Korean, and this is how they read in English.

const english = {
  // Every page
  "본문으로 건너뛰기": "Skip to content",
  "주 메뉴": "Main menu",
  "회원 메뉴": "Member menu",
  "처음으로": "Back to the start",
  "이름": "Name",
  "이메일": "E-mail",
  "비밀번호": "Password",
  "전화번호": "Phone",
  "주소": "Address",
  "번호": "Number",
  "로그인": "Log in",
  "로그아웃": "Log out",
  "대시보드": "Dashboard",
  "프로필": "Profile",
  "관리": "Admin",
  "관리자": "Admin",
  "사용자": "Users",
  "데모 계정": "Demo accounts",

  // Titles
  "wiz-session 예제": "wiz-session example",
  "로그인 · wiz-session": "Log in · wiz-session",
  "사용자 · wiz-session": "Users · wiz-session",
  "회원 · wiz-session": "Members · wiz-session",

  // The start page
  "하나의 세션, 모든 기능": "One session for everything",
  "로그인, 장바구니, 단계별 등록, 환경 설정이 모두 같은 서버 세션에 저장됩니다. 아래에서 바꿔 보면 세션이 바로 바뀝니다.":
    "Login, cart, registration and preferences all live in one session on the server. Change something below and watch the session change with it.",
  "로그인하지 않음": "Not logged in",
  "계정": "Account",
  "장바구니": "Cart",
  "상품": "Product",
  "담기": "Add",
  "한꺼번에 100개": "100 at once",
  "빼기": "Remove",
  "비우기": "Empty",
  "합계": "Total",
  "장바구니가 비어 있습니다.": "The cart is empty.",
  "환경 설정": "Preferences",
  "테마": "Theme",
  "밝게": "Light",
  "어둡게": "Dark",
  "언어": "Language",
  "완료 알림 보기": "Show notices when something is done",
  "회원 등록": "Registration",
  "기본 정보": "About you",
  "연락처": "Contact",
  "확인": "Check",
  "다음": "Next",
  "이전": "Back",
  "등록 완료": "Complete",
  "사용자 만들기": "Create a user",
  "만들고 나면 사용자 목록에 메시지가 한 번만 나타납니다.": "A message then appears on the list of users, exactly once.",
  "만들기": "Create",
  "지금의 세션": "The session right now",
  "새로 고침": "Refresh",
  "서버에 저장된 값입니다. 브라우저에는 서명된 쿠키 하나만 있습니다.":
    "This is what the server stores. The browser has nothing but a signed cookie.",

  // Where one is logged in
  "로그인된 곳": "Where you are logged in",
  "이 브라우저": "This browser",
  "기기에 묶임": "Bound to its device",
  "로그인한 때": "Since",
  "마지막 사용": "Last seen",
  "끝내기": "End",
  "다른 곳에서 모두 로그아웃": "Log out everywhere else",

  // The login page
  "로그인하면 가려던 페이지로 이동합니다.": "You will go on to the page you wanted.",

  // Notices
  "로그인했습니다.": "Logged in.",
  "로그아웃했습니다.": "Logged out.",
  "그곳에서 로그아웃했습니다.": "Logged out there.",
  "장바구니에 담았습니다.": "Added to the cart.",
  "장바구니에서 뺐습니다.": "Removed from the cart.",
  "장바구니를 비웠습니다.": "The cart is empty now.",
  "저장했습니다.": "Saved.",
  "등록이 완료되었습니다.": "Registration complete.",
  "새로 고쳤습니다.": "Refreshed.",
  "사용자가 생성되었습니다": "The user was created",

  "다른 곳에서 로그아웃했습니다.": "Logged out somewhere else.",
  "다른 곳에서 이 로그인을 끝냈습니다.": "This login was ended somewhere else.",
  "다른 곳에서 로그인했습니다.": "Logged in somewhere else.",
  "세션이 만료되었습니다.": "The session has expired.",
  "요청 100개가 한꺼번에 하나씩 담았고, 모두 담겼습니다.": "A hundred requests added one each at once, and all are there.",
  "담기지 않은 상품이 있습니다.": "Some are missing.",

  // Errors
  "로그인되어 있지 않습니다. 다시 로그인해 주세요.": "You are not logged in any more. Please log in again.",
  "이메일 또는 비밀번호가 맞지 않습니다.": "The e-mail address or the password is wrong.",
  "다른 요청이 세션을 끝냈습니다. 다시 시도해 주세요.": "Another request ended the session. Please try again.",
  "세션에 더 저장할 수 없습니다.": "The session is full.",
  "입력한 내용을 확인해 주세요.": "Please check what you entered.",
  "지금은 처리할 수 없습니다. 잠시 후 다시 시도해 주세요.": "This does not work right now. Please try again later.",
};

const isEnglish = () => document.documentElement.lang === "en";

/** A text in the language of the page. */
export const t = (korean) => (isEnglish() && english[korean]) || korean;

/** Puts all texts of the page into its language. */
export function translate() {
  for (const element of document.querySelectorAll("[data-t]")) {
    // The attribute keeps the Korean text for the way back.
    element.dataset.t ||= element.textContent;
    element.textContent = t(element.dataset.t);
  }
}

/** What went wrong, for people. */
export function reason(error) {
  switch (error.status) {
    case 401:
      return error.message === "Not logged in"
        ? t("로그인되어 있지 않습니다. 다시 로그인해 주세요.")
        : t("이메일 또는 비밀번호가 맞지 않습니다.");
    case 409: return t("다른 요청이 세션을 끝냈습니다. 다시 시도해 주세요.");
    case 413: return t("세션에 더 저장할 수 없습니다.");
    case 400: case 422: return t("입력한 내용을 확인해 주세요.");
    default: return t("지금은 처리할 수 없습니다. 잠시 후 다시 시도해 주세요.");
  }
}

/** A product's name; the server gives it in English. */
export const productName = (product) => product.name.replace("Product", t("상품"));

/** A day and a time; from milliseconds since 1970. */
export const moment = (millis) =>
  new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" }).format(millis);

/** A price in won. */
export const won = (price) =>
  new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "KRW" }).format(price);
