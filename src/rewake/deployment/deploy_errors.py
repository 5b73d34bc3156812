"""Why a deploy is refused, apart from what is wrong with its code.

Floor 5, `deployment`. Not here: code that cannot be loaded (`execution/loader.py`), archives that are none
(`execution/project_archive.py`), who raises these (`deploys.py`).
"""

from __future__ import annotations

from rewake.errors import Conflict, InvalidInput, NotFound


class DeploysNotTaken(Conflict):
    """This server serves a folder. Start it with `rewake serve --data PATH`, without a folder, to deploy to
    it.
    """

    code = "DeploysNotTaken"
    template = (
        "This server serves the code of a folder, so nothing can be deployed to it: its next start would "
        "serve the folder again. Start it without a folder, `rewake serve --data PATH`, and deploy again."
    )


class DeployPlanNotFound(NotFound):
    """There is no such plan (any more): it was cancelled, or waited for too long. Deploy again."""

    code = "DeployPlanNotFound"
    template = "There is no plan `{plan}` (any more). Make a new one: run the command again."


class DeployNotFound(NotFound):
    """There is no such deploy (any more). `rewake deploy --list` shows those that there are."""

    code = "DeployNotFound"
    template = (
        "There is no deploy {number} whose sources are kept. `rewake deploy --list` shows those there are."
    )


class DeployOutdated(Conflict):
    """Another deploy came first, so what the plan says is not what would happen. Deploy again."""

    code = "DeployOutdated"
    template = (
        "Another deploy came first: the plan was made against deploy {base}, and deploy {current} serves. "
        "Nothing was changed. Run the command again."
    )


class DeployUnderWay(Conflict):
    """This plan is being carried out; it cannot be taken back any more."""

    code = "DeployUnderWay"
    template = "This plan is being carried out."


class DeployMessageInvalid(InvalidInput):
    """A message says what a deploy is for. Write a few words."""

    code = "DeployMessageInvalid"
    template = "The message of a deploy has at most {limit:,} characters."
