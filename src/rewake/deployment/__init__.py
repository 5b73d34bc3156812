"""Deployment: one database with the code that serves it. Floor 5."""

from rewake.deployment.callers import InvalidHeader
from rewake.deployment.deployment import Deployment
from rewake.deployment.deploys import deployed_settings
from rewake.deployment.metric_facts import DoorFigures
from rewake.deployment.origins import Origins, PublicUrlInvalid, checked_origin, origins_of
from rewake.deployment.push import PushReport
from rewake.deployment.time_series import Window

__all__ = [
    "Deployment",
    "DoorFigures",
    "InvalidHeader",
    "Origins",
    "PublicUrlInvalid",
    "PushReport",
    "Window",
    "checked_origin",
    "deployed_settings",
    "origins_of",
]
