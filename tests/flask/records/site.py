"""As `../site.py`, with the sessions of Flask-Session."""

import datetime
import sys
import threading
import uuid

import flask
from flask_session import Session
from markupsafe import Markup
from redis import Redis
from werkzeug.serving import make_server

port, engine, url, *settings = sys.argv[1:]
app = flask.Flask(__name__)
app.config.update(SECRET_KEY="a secret of Flask's")
if engine == "redis":
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(url))
else:
    from flask_sqlalchemy import SQLAlchemy

    app.config.update(SQLALCHEMY_DATABASE_URI=url)
    database = SQLAlchemy(app)
    app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=database)
for setting in settings:
    name, value = setting.split("=")
    app.config[name] = int(value) if value.isdigit() else value
Session(app)

arrived, released = threading.Semaphore(0), threading.Semaphore(0)


def wait():
    """A handler that takes its time: until `/release`."""
    arrived.release()
    assert released.acquire(timeout=20)


def sql(statement):
    database.session.execute(database.text(statement))
    database.session.commit()


names = {"datetime": datetime, "flash": flask.flash, "Markup": Markup, "uuid": uuid, "wait": wait}
names["sql"] = sql
names["messages"] = lambda: flask.get_flashed_messages(with_categories=True)
names["regenerate"] = lambda: app.session_interface.regenerate(flask.session)


@app.post("/")
def run():
    exec(flask.request.form["code"], {**names, "session": flask.session})
    shown = {key: value for key, value in flask.session.items() if key not in ("_wiz", "_permanent")}
    return repr(dict(sorted(shown.items(), key=str)))


class Signals:
    """Outside of the sessions."""

    def __init__(self, inner):
        self.inner = inner

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/":
            return self.inner(environ, start_response)
        if path == "/arrived":
            assert arrived.acquire(timeout=20)
        else:
            released.release()
        start_response("200 OK", [])
        return [b""]


app.wsgi_app = Signals(app.wsgi_app)
make_server("127.0.0.1", int(port), app, threaded=True).serve_forever()
