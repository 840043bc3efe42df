"""Resources: a declaration becomes a resource, or a resource template, that reads its function.

A resource without variables is a template without variables, so that its function may take the
`Context` as well.
"""

from __future__ import annotations

import base64
import inspect
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.server.apps import APP_MIME_TYPE
from mcp.server.mcpserver.resources import Resource
from mcp.server.mcpserver.resources.templates import (
    DEFAULT_RESOURCE_SECURITY,
    ResourceSecurityError,
    ResourceTemplate,
)
from mcp.server.mcpserver.utilities.context_injection import find_context_parameter
from mcp.shared.uri_template import UriTemplate

from mcpkit.core.components import Component
from mcpkit.core.declarations import ResourceDeclaration
from mcpkit.core.errors import PluginContractError, ResourceNotFoundError
from mcpkit.core.extensions.apps import SCHEME
from mcpkit.core.handlers import description, guarded, unwrapped
from mcpkit.core.signatures import check_parameters
from mcpkit.core.suggestions import quoted
from mcpkit.core.threads import WorkerThreads
from mcpkit.core.wire import wired


def build_resource(
    declaration: ResourceDeclaration, plugin: str, threads: WorkerThreads
) -> Component:
    """Make the component of a resource, or of a template when its URI has variables.

    Raises:
        PluginContractError: The variables are not the function's parameters.
        InvalidUriTemplate: The URI template is malformed.
    """
    check_parameters(f"resource {declaration.uri!r}", declaration.handler, typed=False)
    _check_variables(declaration)
    template = ResourceTemplate.from_function(
        guarded(declaration.handler, threads),
        uri_template=declaration.uri,
        name=declaration.name,
        title=declaration.title,
        description=description(declaration.description, declaration.handler),
        mime_type=_mime_type(declaration.uri, declaration.mime_type),
        icons=declaration.icons,
        annotations=declaration.annotations,
        meta=declaration.meta,
        security=declaration.security or DEFAULT_RESOURCE_SECURITY,
    )
    is_template = bool(template.parsed_template.variable_names)

    def match(uri: str) -> dict[str, Any] | None:
        try:
            return template.matches(uri)
        except ResourceSecurityError as exc:
            raise ResourceNotFoundError(f"Resource {quoted(uri)} is not allowed") from exc

    async def run(arguments: Mapping[str, Any], context: Any) -> Any:
        uri = str(context.params.uri)
        return await unwrapped(_read(template, uri, dict(arguments), context))

    common = {
        "name": template.name,
        "title": template.title,
        "description": template.description or None,
        "mime_type": template.mime_type,
        "icons": template.icons,
        "annotations": template.annotations,
        "_meta": template.meta,
    }
    return Component(
        kind="resource_template" if is_template else "resource",
        plugin=plugin,
        name=declaration.name,
        exposed=declaration.uri,
        definition=wired(
            types.ResourceTemplate(uri_template=declaration.uri, **common)
            if is_template
            else types.Resource(uri=declaration.uri, **common)
        ),
        run=run,
        match=match if is_template else None,
        cache=declaration.cache,
        takes_context=find_context_parameter(declaration.handler) is not None,
    )


def _check_variables(declaration: ResourceDeclaration) -> None:
    """Refuse a template whose variables are not its function's parameters."""
    parsed = UriTemplate.parse(declaration.uri)
    parameters = dict(inspect.signature(declaration.handler).parameters)
    parameters.pop(find_context_parameter(declaration.handler) or "", None)
    variables = set(parsed.variable_names)
    if variables != set(parameters):
        raise PluginContractError(
            f"Its resource {declaration.uri!r} has the variables {sorted(variables)}, but its "
            f"function takes {sorted(parameters)}",
            hint="Give the function one parameter for each {variable} of the URI",
        )
    for name in sorted(parsed.query_variable_names):
        if parameters[name].default is inspect.Parameter.empty:
            raise PluginContractError(
                f"Its resource {declaration.uri!r} takes {name!r} from the query, where clients "
                "may leave it out",
                hint=f"Give the parameter {name!r} a default",
            )


async def _read(
    template: ResourceTemplate, uri: str, values: dict[str, Any], context: Any
) -> types.ReadResourceResult | types.InputRequiredResult:
    resource = await template.create_resource(uri, values, context)
    if isinstance(resource, types.InputRequiredResult):
        return resource
    content = await resource.read()
    return types.ReadResourceResult(contents=[_contents(resource, content, uri)])


def _contents(
    resource: Resource, content: str | bytes, uri: str
) -> types.TextResourceContents | types.BlobResourceContents:
    if isinstance(content, bytes):
        return types.BlobResourceContents(
            uri=uri,
            blob=base64.b64encode(content).decode(),
            mime_type=resource.mime_type,
            _meta=resource.meta,
        )
    return types.TextResourceContents(
        uri=uri, text=content, mime_type=resource.mime_type, _meta=resource.meta
    )


def _mime_type(uri: str, given: str | None) -> str | None:
    """The MIME type of a resource: pages have one that hosts insist on.

    Raises:
        PluginContractError: A page was given another one.
    """
    if not uri.startswith(SCHEME):
        return given
    if given not in {None, APP_MIME_TYPE}:
        raise PluginContractError(
            f"Its page {uri!r} has the MIME type {given!r}: no host would show it",
            hint=f"Leave mime_type out, or write {APP_MIME_TYPE!r}",
        )
    return APP_MIME_TYPE
