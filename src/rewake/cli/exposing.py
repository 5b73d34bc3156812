"""The options of `rewake serve` that say how it shows itself to the world.

Floor 8, `cli`. Not here: what they do (`server/exposure.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rewake.cli.failure import WrongUsage

if TYPE_CHECKING:
    from rewake.server import Exposure

TlsFile = Annotated[
    Path | None,
    typer.Option(
        "--tls-cert",
        metavar="FILE",
        envvar="REWAKE_TLS_CERT",
        help="Serve https with this certificate and its chain (PEM).",
        show_default=False,
    ),
]
TlsKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--tls-key",
        metavar="FILE",
        envvar="REWAKE_TLS_KEY",
        help="The certificate's private key (PEM).",
        show_default=False,
    ),
]
TrustedProxyList = Annotated[
    str,
    typer.Option(
        "--trusted-proxies",
        metavar="LIST",
        envvar="REWAKE_TRUSTED_PROXIES",
        help="Addresses and networks of proxies whose X-Forwarded-For is believed; * for every caller.",
    ),
]
CorsOriginList = Annotated[
    str,
    typer.Option(
        "--cors-origins",
        metavar="LIST",
        envvar="REWAKE_CORS_ORIGINS",
        help="Origins whose pages may call the API, such as https://chat.example; * for all.",
    ),
]


def exposure_of(certificate: Path | None, key: Path | None, *, proxies: str, origins: str) -> Exposure:
    """What the options say.

    Raises:
        WrongUsage: a certificate without its key, or the other way round.
        InvalidInput: a proxy or an origin cannot be read.
    """
    from rewake.deployment import checked_origin
    from rewake.protocol import TrustedProxies
    from rewake.server import Exposure, Tls

    if (certificate is None) != (key is None):
        raise WrongUsage("--tls-cert and --tls-key go together.")
    words = [word for word in (part.strip() for part in origins.split(",")) if word]
    return Exposure(
        tls=None if certificate is None or key is None else Tls(certificate, key),
        proxies=TrustedProxies.parse(proxies),
        origins=None if "*" in words else frozenset(checked_origin(word) for word in words),
    )
