"""What the hosts beside it share of their sign-in: whose password it is, and where to go then.

Try it: ``python examples/sign_in.py "//evil.example"``
"""

import secrets
import sys

USERS = {"ada": "engine"}


def knows(name: str, password: str) -> bool:
    """Return whether it is the user's password; the time tells nothing about it."""
    expected = USERS.get(name, secrets.token_hex())
    # As bytes: compare_digest takes no text beyond ASCII.
    return secrets.compare_digest(
        expected.encode(), password.encode("utf-8", errors="surrogatepass")
    )


def own_page(address: str, default: str) -> str:
    """Return the address if it is a page of this server, else the default.

    Browsers leave tabs and newlines out, and take a backslash for a slash: with any of them, or two
    slashes at the start, it would lead to another server.
    """
    own = address.startswith("/") and not address.startswith("//")
    return address if own and address.isprintable() and "\\" not in address else default


if __name__ == "__main__":
    for given in sys.argv[1:]:
        print(own_page(given, "/"))
