"""A Flask application with sign-in (ada, password engine) and the images pages behind it.

Against a simulated Character Library, or the one of CHARACTER_LIBRARY_API_URL::

    python examples/flask_host.py [port]
"""

import os
import secrets
import sys
import tempfile
from contextlib import ExitStack

from flask import Flask, redirect, render_template_string, request, url_for
from flask_login import LoginManager, UserMixin, login_required, login_user
from sign_in import knows, own_page

from charimg import CharacterImageService, CharacterReference
from charimg.testing import serve
from charimg.web import MediaApp
from charimg.web.flask import blueprint, media_view, signed_in

DIRECTORY = os.environ.get("CHARIMG_DIR") or tempfile.mkdtemp()
FORM = """<title>Sign in</title><form method="post"><input name="username">
<input name="password" type="password"><button>Sign in</button></form>"""
CHARACTER = """<h1>{{ id }}</h1>
<a href="{{ url_for('charimg.page', character_id=id) }}">Images</a>"""


class User(UserMixin):
    """Who is signed in; the id is the name."""

    def __init__(self, name: str) -> None:
        self.id = name


def create_app(images: CharacterImageService) -> Flask:
    """Return the application."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=secrets.token_hex(), SESSION_COOKIE_SAMESITE="Lax")
    manager = LoginManager(app)
    manager.login_view = "login"
    manager.user_loader(User)
    pages = blueprint(images, authorize=signed_in(), character_url="/characters/{id}")
    app.register_blueprint(pages, url_prefix="/studio")
    files = media_view(MediaApp(f"{DIRECTORY}/media"))
    app.add_url_rule("/media/<path:path>", "media", login_required(files))

    @app.get("/characters/<character_id>")
    @login_required
    def character(character_id: str):
        return render_template_string(CHARACTER, id=character_id)

    @app.route("/login", methods=["GET", "POST"])
    def login():
        name = request.form.get("username", "")
        if not knows(name, request.form.get("password", "")):
            return FORM
        login_user(User(name))
        home = url_for("character", character_id="mara")
        return redirect(own_page(request.args.get("next", ""), home))

    return app


if __name__ == "__main__":
    with ExitStack() as owned:
        library = os.environ.get("CHARACTER_LIBRARY_API_URL") or owned.enter_context(serve()).url
        service = owned.enter_context(
            CharacterImageService.local(DIRECTORY, library=library, media_url="/media")
        )
        service.recover()  # what an earlier process left
        if service.directory.get("mara") is None:
            remote = service.library.create_character("Mara Voss")
            mara = CharacterReference(id="mara", name="Mara Voss", library_db_id=remote.id)
            service.put_character(mara)
        create_app(service).run(port=int(sys.argv[1]) if sys.argv[1:] else 5000, threaded=True)
