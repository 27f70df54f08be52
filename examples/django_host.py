"""A Django project with sign-in (ada, password engine) and the images pages behind it.

Against a simulated Character Library, or the one of CHARACTER_LIBRARY_API_URL::

    python examples/django_host.py [port]
"""

import os
import secrets
import sys
import tempfile
from contextlib import ExitStack

import django
from django.conf import settings
from django.core.management import call_command
from django.shortcuts import render
from django.urls import include, path, reverse_lazy
from sign_in import USERS

from charimg import CharacterImageService, CharacterReference
from charimg.testing import serve
from charimg.web import MediaApp

DIRECTORY = os.environ.get("CHARIMG_DIR") or tempfile.mkdtemp()
TEMPLATES = {
    "registration/login.html": '<form method="post">{% csrf_token %}{{ form }}<button>Sign in',
    "character.html": '<h1>{{ id }}</h1><a href="{% url "charimg-page" id %}">Images</a>',
}
ENGINE = "django.template.backends.django.DjangoTemplates"
LOADERS = [("django.template.loaders.locmem.Loader", TEMPLATES)]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{DIRECTORY}/db"}},
    INSTALLED_APPS=[f"django.contrib.{app}" for app in ("auth", "contenttypes", "sessions")],
    LOGIN_REDIRECT_URL=reverse_lazy("character", args=["mara"]),
    LOGIN_URL="login",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY=secrets.token_hex(),
    TEMPLATES=[{"BACKEND": ENGINE, "OPTIONS": {"loaders": LOADERS}}],
)
django.setup()

from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402

from charimg.web.django import media_view, signed_in  # noqa: E402
from charimg.web.django import urlpatterns as images_pages  # noqa: E402

owned = ExitStack()
library = os.environ.get("CHARACTER_LIBRARY_API_URL") or owned.enter_context(serve()).url
images = CharacterImageService.local(DIRECTORY, library=library, media_url="/media")
pages = images_pages(images, authorize=signed_in(), character_url="/characters/{id}")
files = media_view(MediaApp(f"{DIRECTORY}/media"))
character = login_required(lambda request, key: render(request, "character.html", {"id": key}))
urlpatterns = [
    path("studio/", include(pages)),
    path("media/<path:path>", login_required(files)),
    path("characters/<str:key>", character, name="character"),
    path("accounts/", include("django.contrib.auth.urls")),
]

if __name__ == "__main__":
    with owned, images:
        images.recover()  # what an earlier process left; also makes the directory
        call_command("migrate", verbosity=0)
        if not User.objects.exists():
            User.objects.create_user(username="ada", password=USERS["ada"])
        if images.directory.get("mara") is None:
            remote = images.library.create_character("Mara Voss")
            mara = CharacterReference(id="mara", name="Mara Voss", library_db_id=remote.id)
            images.put_character(mara)
        call_command("runserver", sys.argv[1] if sys.argv[1:] else "8000", "--noreload")
