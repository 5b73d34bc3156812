"""Deployment: one database with the code that serves it. Floor 5."""

from rewake.deployment.callers import InvalidHeader
from rewake.deployment.deployment import Deployment
from rewake.deployment.deploys import deployed_settings
from rewake.deployment.origins import Origins, PublicUrlInvalid, checked_origin, origins_of
from rewake.deployment.push import PushReport

__all__ = [
    "Deployment",
    "InvalidHeader",
    "Origins",
    "PublicUrlInvalid",
    "PushReport",
    "checked_origin",
    "deployed_settings",
    "origins_of",
]
