"""A service that answers for the bot: any with OpenAI's chat completions, such as llama.cpp, Ollama or vLLM.

What can go wrong becomes a sentence that a channel may read: it names neither the address nor the key, and
repeats nothing that the service said.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from rewake import UNSET

from .schema import Message

SECONDS_MAX = 30.0
ANSWER_BYTES_MAX = 1_000_000
MODEL_USUAL = "gpt-4o-mini"
TASK = (
    "You are {bot}, a helpful member of a chat. Several people write; each line begins with its author's"
    " name. Answer the last line, briefly and in plain text."
)

# It would write the address of every request, and a password in it, to the log.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Service:
    """Where it is, what it wants to be shown, and which of its models is asked."""

    url: str
    """Up to the version: https://api.example.com/v1."""
    key: str | None = None
    model: str | None = None


class ServiceFailed(Exception):
    """There is no answer; the text says why, for everybody to read."""


async def ask(service: Service, lines: Sequence[Message], *, bot: str) -> str:
    """What the service says to the last of these lines.

    Raises:
        ServiceFailed: it cannot be reached, takes too long, refuses, or says what cannot be understood.
    """
    said = [_told(line, bot) for line in lines]
    task = {"role": "system", "content": TASK.format(bot=bot)}
    question = {"model": service.model or MODEL_USUAL, "messages": [task, *said]}
    headers = {"Authorization": f"Bearer {service.key}"} if service.key else {}
    try:
        async with asyncio.timeout(SECONDS_MAX), httpx.AsyncClient(timeout=None) as client:
            address = f"{service.url.rstrip('/')}/chat/completions"
            async with client.stream("POST", address, json=question, headers=headers) as response:
                _expect_success(response.status_code)
                return _text_of(await _body_of(response))
    except TimeoutError:
        raise ServiceFailed(f"my service did not answer within {SECONDS_MAX:g} seconds.") from None
    # Also addresses and keys that cannot be sent, whose errors would repeat them.
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise ServiceFailed(f"my service cannot be reached ({type(error).__name__}).") from None


def _told(line: Message, bot: str) -> dict[str, str]:
    if line.author == bot:
        return {"role": "assistant", "content": line.body}
    said = line.body if line.image is UNSET else "(sent a picture)"
    return {"role": "user", "content": f"{line.author}: {said}"}


def _expect_success(status: int) -> None:
    if status in (401, 403):
        raise ServiceFailed(f"my service does not accept my key ({status}).")
    if status == 429:
        raise ServiceFailed("my service is busy. Try again in a minute.")
    if status != 200:
        raise ServiceFailed(f"my service answered with status {status}.")


async def _body_of(response: httpx.Response) -> bytes:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise ServiceFailed("my service says far too much.")
    return body


def _text_of(body: bytes) -> str:
    try:
        answer: Any = msgspec.json.decode(body)
        text = answer["choices"][0]["message"]["content"].strip()
    except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
        text = ""
    if not text:
        raise ServiceFailed("my service says nothing that I understand.")
    return str(text)
