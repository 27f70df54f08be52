"""The BAML function and the runtime that calls it. The one module that uses baml-py."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib.resources import files
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, InvalidArgument

if TYPE_CHECKING:
    from baml_py import AbortController, ClientRegistry

__all__ = ["DescribePerson", "NoDescription"]

_FUNCTION = "DescribePerson"
_CLIENT = "CharimgModel"


class NoDescription(Exception):
    """The model gave none. The text says why, and holds nothing of question, answer or key."""


class _PersonDescription:
    """What BAML makes of the class of that name in the source: the paragraph itself."""

    @staticmethod
    def model_validate(fields: Mapping[str, str]) -> str:
        return fields["description"]


class DescribePerson:
    """Calls the shipped BAML function.

    Raises:
        ConfigurationError: The extra is missing, or BAML refuses a setting.
        InvalidArgument: The timeout is none.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None,
        api_key: str | None,
        provider: str,
        timeout: float,
        options: Mapping[str, object],
    ) -> None:
        if not (math.isfinite(timeout) and timeout >= 0.001):
            raise InvalidArgument(f"timeout must be a number of seconds above 0, not {timeout}.")
        try:
            import baml_py
            from baml_py import errors
        except ImportError as error:
            raise ConfigurationError(
                "Prompts from BAML need the package baml-py: pip install 'charimg[baml]'."
            ) from error
        self._timeout = timeout
        self._errors = errors
        self._new_controller = baml_py.AbortController
        source = files("charimg._baml").joinpath("photoreal.baml").read_text("utf-8")
        self._runtime = baml_py.BamlRuntime.from_files("charimg", {"photoreal.baml": source}, {})
        self._quiet = _Quiet(source)
        self._types = ModuleType("charimg_baml_types")
        vars(self._types)["PersonDescription"] = _PersonDescription
        milliseconds = math.ceil(timeout * 1000)
        settings: dict[str, Any] = {
            "model": model,
            **({} if base_url is None else {"base_url": base_url}),
            **({} if api_key is None else {"api_key": api_key}),
            **options,
            "http": {"connect_timeout_ms": milliseconds, "request_timeout_ms": milliseconds},
        }
        self._clients = self._registered(baml_py.ClientRegistry(), provider, settings)

    def _registered(
        self, clients: ClientRegistry, provider: str, settings: dict[str, Any]
    ) -> ClientRegistry:
        """Tell BAML of the model, and have it build a request, which shows whether it can."""
        try:
            clients.add_llm_client(_CLIENT, provider, settings)
            clients.set_primary(_CLIENT)
            self._runtime.build_request_sync(
                _FUNCTION,
                {"facts": []},
                self._runtime.create_context_manager(),
                None,
                clients,
                {},
                False,
            )
        except self._errors.BamlError:
            pass
        else:
            return clients
        # Not from BAML's error: it quotes settings, and among them may be the key.
        raise ConfigurationError(
            f"BAML cannot make a client of provider {provider!a:.40} from these settings. Check "
            "provider, model, base_url (absolute, such as https://host/v1) and options."
        )

    def controller(self) -> AbortController:
        """Return what can abort one call, from any thread."""
        return self._new_controller()

    def __call__(self, facts: Mapping[str, str], controller: AbortController) -> str:
        """Return the paragraph, unchecked. Blocks; nothing is sent a second time.

        Raises:
            NoDescription: The call failed, timed out or was aborted, or the answer held none.
        """
        known = [{"name": name.replace("_", " "), "value": text} for name, text in facts.items()]
        try:
            with self._quiet:
                result = self._runtime.call_function_sync(
                    _FUNCTION,
                    {"facts": known},
                    self._runtime.create_context_manager(),
                    None,
                    self._clients,
                    [],
                    {},
                    {},
                    controller,
                )
            types = self._types
            answer: str = result.cast_to(types, types, types, False, self._runtime)
        except self._errors.BamlError as error:
            reason = self._reason(error)
        else:
            return answer
        # Not from BAML's error: it quotes question and answer.
        raise NoDescription(reason)

    def _reason(self, error: Exception) -> str:
        errors = self._errors
        if isinstance(error, errors.BamlTimeoutError):
            return f"The model did not answer within {self._timeout:g} s."
        if isinstance(error, errors.BamlClientHttpError) and 400 <= error.status_code < 500:
            return f"The model's server refused the request with HTTP {error.status_code}."
        if isinstance(error, errors.BamlClientError):
            return "The model's server could not be reached, or failed."
        return "The model's answer held no description."


class _Quiet(AbstractContextManager[None]):
    """Keeps BAML from printing what it sends and receives, which it does unless told otherwise.

    The level is one for the whole process. The first call that comes turns it off, the last that
    goes turns it back.
    """

    _lock = threading.Lock()
    _inside = 0
    _before = "OFF"

    def __init__(self, source: str) -> None:
        self._source = source

    def __enter__(self) -> None:
        from baml_py import logging

        with _Quiet._lock:
            if _Quiet._inside == 0:
                _Quiet._before = logging.get_log_level()
                logging.set_log_level("OFF")
            _Quiet._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        from baml_py import BamlRuntime

        with _Quiet._lock:
            _Quiet._inside -= 1
            if _Quiet._inside == 0:
                # Not by set_log_level: that prints what it has set to stdout.
                level = {"BAML_LOG": _Quiet._before}
                BamlRuntime.from_files("charimg", {"photoreal.baml": self._source}, level)
