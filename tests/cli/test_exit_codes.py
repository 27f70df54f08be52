from __future__ import annotations

import inspect

import pytest

from charimg import errors
from charimg.cli.exit_codes import MEANINGS, ExitCode, error_code, exit_code_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), 2),
        (errors.InvalidArgument("x"), 2),
        (errors.InvalidPrompt("x"), 2),
        (errors.PreconditionError("x"), 3),
        (errors.CharacterNotFound("x"), 3),
        (errors.CharacterNotLinked("x"), 3),
        (errors.ImageNotFound("x"), 3),
        (errors.ImageMismatch("x"), 3),
        (errors.CharacterLibraryError("x", code="TIMEOUT"), 4),
        (errors.JobError("x", code="JOB_FAILED", job_id="j"), 4),
        (errors.DownloadError("x", code="CONNECTION"), 5),
        (errors.ImageRejected("x", code="NOT_AN_IMAGE"), 5),
        (errors.StorageError("x"), 6),
        (errors.SchemaError("x"), 6),
        (errors.LeaseLost("x"), 6),
        (errors.GenerationInProgress("x"), 8),
        (errors.CharimgError("x"), 1),
        (ValueError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_every_error_of_ours_but_the_root_has_an_exit_code() -> None:
    for name in errors.__all__:
        cls = getattr(errors, name)
        if inspect.isclass(cls) and issubclass(cls, errors.CharimgError):
            error = cls.__new__(cls)
            expected_unexpected = cls is errors.CharimgError
            assert (exit_code_of(error) == ExitCode.UNEXPECTED) == expected_unexpected


def test_the_table_explains_every_code_and_only_those() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert [int(code) for code in MEANINGS] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CharacterLibraryError("x", code=errors.ErrorCode.TIMEOUT), "TIMEOUT"),
        (errors.DownloadError("x", code="NEWER"), "NEWER"),
        (errors.CharacterNotFound("x"), "CHARACTER_NOT_FOUND"),
        (KeyboardInterrupt(), "KEYBOARD_INTERRUPT"),
        (SystemExit(7), "SYSTEM_EXIT"),
    ],
)
def test_each_error_has_a_code_string(error: BaseException, code: str) -> None:
    assert error_code(error) == code
    assert type(error_code(error)) is str
