"""The API reference: the OpenAPI document and pages to read and try it, served from here alone."""

from functools import cache

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from swagger_ui_bundle import swagger_ui_path

from billing_core.domain.errors import NotFound
from gateway.openapi import Documentation

JSON = "application/json"
# nothing else of the package is served, so a name can never lead out of it
ASSETS = {
    "favicon-32x32.png": "image/png",
    "index.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tallygate API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/index.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="reference"></div>
<noscript>This page takes JavaScript; <a href="/openapi.json">the document</a> does not.</noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  docExpansion: "none",
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'",
    "Cache-Control": "public, max-age=3600",
    "X-Content-Type-Options": "nosniff",
}


@get("/openapi.json", operation_id="openapi")
async def openapi(documentation: NamedDependency[Documentation]) -> Response[bytes]:
    """Return the document in OpenAPI 3.1."""
    return Response(documentation.as_bytes(), media_type=JSON)


@get("/docs", operation_id="docs")
async def page() -> Response[str]:
    """Return the page."""
    return Response(PAGE, media_type="text/html", headers=HEADERS)


@get("/docs/openapi.json", operation_id="docsOpenapi")
async def page_document(documentation: NamedDependency[Documentation]) -> Response[bytes]:
    """Return the document in OpenAPI 3.0, which is what the page's viewer reads."""
    return Response(documentation.as_old_bytes(), media_type=JSON)


@get("/docs/{name:str}", operation_id="docsAsset")
async def asset(name: FromPath[str]) -> Response[bytes]:
    """Return a part of the page."""
    if name == "start.js":
        return Response(START.encode(), media_type="text/javascript", headers=HEADERS)
    if name not in ASSETS:
        raise NotFound("resource")
    return Response(_content(name), media_type=ASSETS[name], headers=HEADERS)


@cache
def _content(name: str) -> bytes:
    return bytes((swagger_ui_path / name).read_bytes())


HANDLERS = [openapi, page, page_document, asset]
