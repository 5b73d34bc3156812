"""Deployment: one database with the code that serves it. Floor 5."""

from rewake.deployment.callers import InvalidHeader
from rewake.deployment.deployment import Deployment
from rewake.deployment.push import PushReport

__all__ = ["Deployment", "InvalidHeader", "PushReport"]
