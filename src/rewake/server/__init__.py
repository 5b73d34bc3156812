"""Server: one deployment assembled, and the process that listens. Floor 7."""

from rewake.server.application import build_application
from rewake.server.process import AddressUnusable, PortInUse, Server, bind
from rewake.server.static_files import FrontEnd

__all__ = ["AddressUnusable", "FrontEnd", "PortInUse", "Server", "bind", "build_application"]
