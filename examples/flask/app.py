"""What was there first: a Flask application with a login. The proxy in `main.rs` starts it, and stands in front of it."""

import os

from flask import Flask, redirect, request, session

app = Flask(__name__)
app.secret_key = os.environ["FLASK_SECRET_KEY"]

PAGE = """<!doctype html><title>Shop</title>
<p>This page is Flask's. You are {who}.</p>
<form method="post" action="/login"><input name="user_id" value="7"> <button>Log in</button></form>
<form method="post" action="/logout"><button>Log out</button></form>
<p>{count} in the <a href="/cart">cart</a>, which has moved to axum.</p>"""


@app.get("/")
def index():
    who = f"user {session['user_id']}" if "user_id" in session else "nobody"
    return PAGE.format(who=who, count=len(session.get("cart", [])))


@app.post("/login")
def login():
    # A shop of yours asks for a password here.
    cart = session.get("cart", [])
    session.clear()
    session.update(user_id=int(request.form["user_id"]), cart=cart)
    return redirect("/", 303)


@app.post("/logout")
def logout():
    session.clear()
    return redirect("/", 303)
