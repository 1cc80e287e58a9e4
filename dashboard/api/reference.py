"""What programs may ask, for people to read: made from the description that programs read (OpenAPI)."""

from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboard.render import page

router = APIRouter(prefix="/api")

METHODS = ("get", "post", "put", "patch", "delete")


class Parameter(NamedTuple):
    """One thing that goes with a question."""

    name: str
    place: str
    required: bool


class Operation(NamedTuple):
    """One question that can be asked."""

    method: str
    path: str
    text: str
    parameters: list[Parameter]
    body: list[str]


@router.get("/docs", include_in_schema=False)
def reference(request: Request) -> Response:
    """Every operation of the REST API, on a page that needs nothing from elsewhere."""
    return page(request, "api/reference.html", operations=operations(request.app.openapi()))


def operations(description: dict[str, Any]) -> list[Operation]:
    """The operations of an OpenAPI description, by path."""
    schemas = description.get("components", {}).get("schemas", {})
    return [
        Operation(
            method=method.upper(),
            path=path,
            text=told.get("description", ""),
            parameters=[
                Parameter(one["name"], one["in"], one.get("required", False))
                for one in told.get("parameters", [])
            ],
            body=_fields(told.get("requestBody"), schemas),
        )
        for path, methods in sorted(description["paths"].items())
        for method in METHODS
        if (told := methods.get(method)) is not None
    ]


def _fields(body: dict[str, Any] | None, schemas: dict[str, Any]) -> list[str]:
    if body is None:
        return []
    schema = next(iter(body["content"].values()))["schema"]
    named = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return sorted(named.get("properties", {}))
