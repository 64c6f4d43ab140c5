def bootstrap(app, config):
    pass


secret_key = "__KEY__"
socketio = dict(async_mode="threading")
run = dict(allow_unsafe_werkzeug=True, host="127.0.0.1", port=__PORT__, use_reloader=False)
