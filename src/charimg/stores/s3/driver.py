"""obstore, which works in threads of its own, and what becomes of them when the process forks.

They stay behind in the parent, and obstore, which starts them once, would wait for them for ever.
It keeps them in its library, which the system loads once for each file. So a forked child loads a
copy of that file: a second obstore, whose threads are the child's own.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType

from ...errors import ConfigurationError

__all__ = ["driver"]

_NAME = "obstore"
_LIBRARY = "obstore._obstore"


class _Driver:
    """obstore in this process.

    Attributes:
        process: Whose threads it would use; ``None`` before it is asked for.
    """

    def __init__(self) -> None:
        self.process: int | None = None
        self.begin()

    def begin(self) -> None:
        """Let go of a lock that another thread of the parent may have held."""
        self._lock = threading.Lock()

    def get(self) -> ModuleType:
        with self._lock:
            if self.process not in (None, os.getpid()):
                _load_anew()
            import obstore

            self.process = os.getpid()
        return obstore


_driver = _Driver()
getattr(os, "register_at_fork", dict)(after_in_child=_driver.begin)


def driver() -> ModuleType:
    """Return obstore; in a forked child, one of its own.

    Raises:
        ConfigurationError: It is not installed, or the child cannot load one.
    """
    try:
        return _driver.get()
    except ImportError as error:
        raise ConfigurationError(
            "The S3 media store needs the package obstore: pip install 'charimg[s3]'."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            "This forked process can load no obstore of its own. Start it with the method spawn or "
            "forkserver of multiprocessing instead."
        ) from error


def _load_anew() -> None:
    """Put a copy of obstore's library in the place of the parent's."""
    library = Path(str(sys.modules[_LIBRARY].__file__))
    for name in [name for name in sys.modules if name.partition(".")[0] == _NAME]:
        del sys.modules[name]
    with tempfile.TemporaryDirectory(prefix="charimg-") as directory:
        copy = shutil.copyfile(library, Path(directory, library.name))
        loader = importlib.machinery.ExtensionFileLoader(_LIBRARY, str(copy))
        spec = importlib.machinery.ModuleSpec(_LIBRARY, loader, origin=str(copy))
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    # What it was copied from: the next fork copies it again.
    module.__file__ = str(library)
    sys.modules[_LIBRARY] = module
