"""The program before moving over, from docs/from-flask.md, as it stands there: it runs on Flask, and does silently what the
page says. `wiz` is the little that the program needs of the framework."""

import pathlib
import sys
import types

import flask

page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
program = page.split("```python\n")[1].split("```")[0]

session = types.SimpleNamespace(
    get=lambda key, default=None: flask.session.get(key, default),
    set=lambda key, value: flask.session.__setitem__(key, value),
    clear=lambda: flask.session.clear(),
)
request = types.SimpleNamespace(
    query=lambda key=None: flask.request.args.get(key, type=int) if key else flask.request.args
)
response = types.SimpleNamespace(status=lambda code, body: flask.g.__setattr__("answer", (body, code)))
names = {
    "wiz": types.SimpleNamespace(session=session, request=request, response=response),
    "authenticate": lambda query: {"id": 7},
}
exec(compile(program, "from-flask.md", "exec"), names)


def call(function):
    names[function]()
    return flask.g.answer


app = flask.Flask(__name__)
app.secret_key = "a key for this test"
app.add_url_rule("/<function>", view_func=call, methods=["GET", "POST"])


def visit(function, cookie=None, **query):
    """The answer and the cookie that the browser has then."""
    headers = {"Cookie": cookie} if cookie else {}
    answer = app.test_client(use_cookies=False).post(f"/{function}", headers=headers, query_string=query)
    assert answer.status_code == 200, answer.status
    line = answer.headers.get("Set-Cookie")
    return answer.json, line.split(";")[0] if line else cookie


_, visitor = visit("add_to_cart", product_id=1)
cart, visitor = visit("add_to_cart", visitor, product_id=2)
assert cart == {"cart": [1, 2], "count": 2}, cart
_, alice = visit("login", visitor)
assert visit("check_session", alice)[0] == {"logged_in": True}

# A cleared cookie still works when it is replayed.
_, nobody = visit("logout", alice)
assert visit("check_session", nobody)[0] == {"logged_in": False}
assert visit("check_session", alice)[0] == {"logged_in": True}

# A write gets lost: both start with the same cookie, and the later answer's replaces the other's.
_, first = visit("add_to_cart", visitor, product_id=3)
_, second = visit("add_to_cart", visitor, product_id=4)
assert visit("add_to_cart", second, product_id=2)[0] == {"cart": [1, 2, 4], "count": 3}

print("ok")
