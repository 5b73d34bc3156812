"""Server: one deployment assembled, and the process that listens. Floor 7."""

from rewake.server.application import build_application
from rewake.server.embedding import EmbeddedApp, asgi_app
from rewake.server.exposure import Exposure, Tls, TlsFilesInvalid
from rewake.server.process import PORT_MAX, AddressUnusable, PortInUse, Server, bind
from rewake.server.static_files import FrontEnd

__all__ = [
    "PORT_MAX",
    "AddressUnusable",
    "EmbeddedApp",
    "Exposure",
    "FrontEnd",
    "PortInUse",
    "Server",
    "Tls",
    "TlsFilesInvalid",
    "asgi_app",
    "bind",
    "build_application",
]
