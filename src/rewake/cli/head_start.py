"""The head start of a server: its project begins to load while the server itself is still being imported.

Floor 8, `cli`. Half of a start is the import of the server, half the import of the project with what it
needs, and there is a processor for each. So the process of the project is begun as soon as the command line
is understood, and taken over by the server when that is there to listen to it.

    options -> settings, secrets -> HeadStart: fork -> load the project ----.
                                    import the server -> open the data -----+-> workers -> ready

What must not reach functions is taken out of the environment first, and what they need is put there. Whoever
wants to stop the server meanwhile is heard when its loop can end it in good order: until then signals wait.

Not here: how the process comes to be (`execution/template_process.py`).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import TracebackType

from rewake.cli.secret_files import take_secrets
from rewake.cli.service_manager import ServiceManager
from rewake.execution import ProjectSettings, TemplateProcess, read_settings

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HeadStart:
    """What was begun before the server was imported; a process that nobody took ends with it."""

    def __init__(self, folder: Path | None, *, in_workers: bool) -> None:
        """Begin with the project in `folder`; without one, only the process that will load it. Not
        `in_workers`: nothing is begun.

        Raises:
            WrongUsage, CommandFailed: a secret cannot be read.
            ProjectInvalid: there is no such project, or its settings are wrong.
        """
        self.settings: ProjectSettings | None = read_settings(folder) if folder is not None else None
        """Of the project; None without a folder."""
        take_secrets(os.environ)
        self.manager = ServiceManager()
        self._template = TemplateProcess.ahead() if in_workers else None  # Until somebody takes it.
        # Without workers it is this process that imports the project, for ever perhaps, and has no loop yet.
        self._has_signals_wait = in_workers
        if in_workers:
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        if self.settings is not None:
            self.begin(self.settings)

    def begin(self, settings: ProjectSettings) -> None:
        """Load this project, which was not known at first."""
        if self._template is not None:
            self._template.begin(settings)

    def take_template(self) -> TemplateProcess | None:
        """The process, for whoever will end it; None where there is none (any more)."""
        taken, self._template = self._template, None
        return taken

    def heed_signals(self) -> None:
        """From now on somebody does something about signals."""
        if self._has_signals_wait:
            self._has_signals_wait = False
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)

    def __enter__(self) -> HeadStart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heed_signals()
        template = self.take_template()
        if template is not None:
            template.give_up()
