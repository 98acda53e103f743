"""The HTTP interface described on a page of our own: nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Footnoted over HTTP</title>'
    '<meta name="viewport" content="width=device-width"><link rel="stylesheet" '
    'href="/page/style.css"></head><body class="docs"><main><h1>Footnoted over HTTP</h1>'
    '<p>For programs: <a href="/openapi.json">openapi.json</a>. For example:</p>'
    "<pre>curl {address}/api/ask -H 'Content-Type: application/json' \\\n"
    '  -d \'{{"question": "What is GeneGPT?"}}\'</pre>{routes}</main></body></html>'
)
_ROUTE = Markup("<section><h2><code>{method} {path}</code></h2><p>{summary}</p>{fields}</section>")
_FIELDS = Markup("<ul>{}</ul>")
_FIELD = Markup("<li><code>{}</code> {}</li>")


def docs(openapi: Mapping[str, Any], address: str) -> Markup:
    """A page about every route of an OpenAPI description."""
    routes = [
        _ROUTE.format(
            method=method.upper(),
            path=path,
            summary=route.get("description", ""),
            fields=_fields(route),
        )
        for path, methods in openapi["paths"].items()
        for method, route in methods.items()
    ]
    return _PAGE.format(address=address, routes=Markup("").join(routes))


def _fields(route: Mapping[str, Any]) -> Markup:
    items = [
        _FIELD.format(each["name"], f"in {each['in']}") for each in route.get("parameters", ())
    ]
    return _FIELDS.format(Markup("").join(items)) if items else Markup("")
