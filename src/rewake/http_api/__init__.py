"""The HTTP API: functions, health and discovery over plain requests.

Floor 6, a door. `build_app` is the whole of it as one ASGI application, `build_routes` the routes alone; both
stand on the `Backend` port.
"""

from rewake.http_api.call_head import CallHead
from rewake.http_api.cors import CorsMiddleware
from rewake.http_api.errors import ErrorBoundary, NoSuchEndpoint, ResponseCut, error_response
from rewake.http_api.metrics import build_metrics
from rewake.http_api.ports import Backend, FunctionKind, HttpActionsBackend
from rewake.http_api.quick_calls import Answer, QuickCalls
from rewake.http_api.routes import API_PREFIXES, build_app, build_routes, build_site, is_api_path
from rewake.http_api.turns import lane_at_turnstile

__all__ = [
    "API_PREFIXES",
    "Answer",
    "Backend",
    "CallHead",
    "CorsMiddleware",
    "ErrorBoundary",
    "FunctionKind",
    "HttpActionsBackend",
    "NoSuchEndpoint",
    "QuickCalls",
    "ResponseCut",
    "build_app",
    "build_metrics",
    "build_routes",
    "build_site",
    "error_response",
    "is_api_path",
    "lane_at_turnstile",
]
