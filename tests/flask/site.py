"""A Flask application that does what it is told: `code` is run with the session, which is then shown."""

import datetime
import sys
import uuid

import flask
from markupsafe import Markup
from werkzeug.serving import make_server

port, key, *fallbacks = sys.argv[1:]
app = flask.Flask(__name__)
app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallbacks)
names = {"datetime": datetime, "flash": flask.flash, "Markup": Markup, "uuid": uuid}
names["messages"] = lambda: flask.get_flashed_messages(with_categories=True)


@app.post("/")
def run():
    exec(flask.request.form["code"], {**names, "session": flask.session})
    return repr(dict(sorted(flask.session.items())))


make_server("127.0.0.1", int(port), app, threaded=True).serve_forever()
