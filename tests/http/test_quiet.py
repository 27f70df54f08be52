from __future__ import annotations

import logging

import httpx
import pytest

from charimg._http.quiet import quiet

from .scripted import Scripted, reply

URL = "https://library.test/a/b?signature=secret"


def test_only_our_requests_lose_their_query(caplog: pytest.LogCaptureFixture) -> None:
    client = httpx.Client(transport=Scripted(reply(), reply(), reply()).transport)
    with caplog.at_level(logging.INFO, "httpx"):
        client.get(URL)
        with quiet():
            client.get(URL)
        client.get(URL)
    texts = [each.getMessage() for each in caplog.records]
    assert ["secret" in each for each in texts] == [True, False, True]
    assert 'GET https://library.test/a/b "HTTP/1.1 200 OK"' in texts[1]


def test_other_lines_of_httpx_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "httpx"), quiet():
        logging.getLogger("httpx").info("plain")
        logging.getLogger("httpx").info("%(a)s", {"a": 1})
    assert [each.getMessage() for each in caplog.records] == ["plain", "1"]


@pytest.mark.parametrize("name", ["httpcore.http11", "httpcore.http2"])
def test_headers_that_httpcore_logs_are_left_out_of_ours(
    caplog: pytest.LogCaptureFixture, name: str
) -> None:
    logger = logging.getLogger(name)
    text = "receive_response_headers.complete return_value=(b'location', b'/?secret')"
    with caplog.at_level(logging.DEBUG, name):
        logger.debug(text)
        with quiet():
            logger.debug(text)
            logger.debug("%s return_value=%s", "other", "left alone")
    assert [each.getMessage() for each in caplog.records] == [
        text,
        "receive_response_headers.complete",
        "other return_value=left alone",
    ]
