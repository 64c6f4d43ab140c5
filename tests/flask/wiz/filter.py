# `wiz.session` as wiz's own package has it.
wiz.session = wiz.model("portal/season/session").use()
exec(wiz.request.query("code", ""), {"session": wiz.session})
wiz.response.send(repr(dict(sorted(wiz.session.get().items()))))
