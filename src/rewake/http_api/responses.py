"""Function results as HTTP answers.

Floor 6, `http_api`. Results arrive as canonical encoded JSON text. In the format that official clients
ask for that text is spliced into the answer as it is; only the lossy formats decode it first.

    {"status":"success","value":1.0,"logLines":[]}
    {"status":"error","errorMessage":"[Request ID: ...] Server Error\\n...","errorData":{...},"logLines":[]}

The status is 200 in both cases: PyPI's client knows no other (wire 8.1, 26). `errorData` appears only with an
ApplicationError, and then also when it is null: its presence makes clients raise a ConvexError.

Source: wire 2.5, 4.1 and 6.1.
"""

from __future__ import annotations

import json

import msgspec
from starlette.responses import Response

from rewake.execution import Failure, Success, error_text
from rewake.http_api.formats import OutputFormat, in_format


def json_response(text: str, status: int = 200) -> Response:
    """An answer whose body is ready JSON text."""
    return Response(text.encode(), status, media_type="application/json")


def function_text(
    result: Success | Failure, output_format: OutputFormat, *, request_id: str, is_redacted: bool
) -> str:
    """The JSON text of one function result.

    Redacted, it says neither what went wrong nor what was logged; `errorData` is the author's word to the
    client and always arrives.
    """
    lines = "[]" if is_redacted or not result.log_lines else json_text(result.log_lines)
    if isinstance(result, Success):
        value = in_format(result.value, output_format)
        return f'{{"status":"success","value":{value},"logLines":{lines}}}'
    message = json_text(error_text(request_id, result, redacted=is_redacted))
    if result.data is None:
        return f'{{"status":"error","errorMessage":{message},"logLines":{lines}}}'
    data = in_format(result.data, output_format)
    return f'{{"status":"error","errorMessage":{message},"errorData":{data},"logLines":{lines}}}'


def json_text(value: str | tuple[str, ...]) -> str:
    """JSON text of strings that authors wrote.

    Half a surrogate pair becomes U+FFFD: it is no Unicode, and the Rust family's parser refuses the whole
    answer.
    """
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        escaped = json.dumps(value, ensure_ascii=False)
        return escaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
