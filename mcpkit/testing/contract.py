"""Contract checks: what clients and models may expect of every plugin.

Loading a plugin already refuses what is illegal; these checks find what is legal and still bad:
missing titles and descriptions, invalid schemas, errors that help nobody, eras that differ.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import mcp
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from mcp.shared.exceptions import MCPError

from mcpkit.testing.memory import Mode, connect

UNKNOWN = "surely_not_an_argument"
"""An argument that no tool takes."""

DEFINITIONS = "#/$defs/"
"""Beginning of a reference to a definition of the same schema."""

ERAS: tuple[Mode, ...] = ("auto", "legacy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to mend.

    Attributes:
        component: Exposed name or URI.
        problem: What is wrong, as a sentence.
    """

    component: str
    problem: str

    def __str__(self) -> str:
        """The finding in one line."""
        return f"{self.component}: {self.problem}"


async def assert_contract(
    *, settings: Mapping[str, Mapping[str, Any]] | None = None, **plugins: Any
) -> None:
    """Fail, with all findings, if a plugin does not keep the contract.

    Args:
        settings: Section of each plugin, by plugin name.
        **plugins: Plugins by name: `weather=plugin`.

    Raises:
        AssertionError: There are findings.
        PluginError: A plugin does not load at all.
    """
    findings = await check_plugin(settings=settings, **plugins)
    assert not findings, "\n".join(map(str, findings))


async def check_plugin(
    *, settings: Mapping[str, Mapping[str, Any]] | None = None, **plugins: Any
) -> list[Finding]:
    """Look for what a plugin could do better.

    Args:
        settings: Section of each plugin, by plugin name.
        **plugins: Plugins by name.

    Raises:
        PluginError: A plugin does not load at all.
    """
    findings: list[Finding] = []
    catalogues = []
    for mode in ERAS:
        async with connect(settings=settings, mode=mode, **plugins) as client:
            catalogue = await _catalogue(client)
            catalogues.append({kind: sorted(items) for kind, items in catalogue.items()})
            if mode == "auto":
                findings += _check_texts(catalogue)
                findings += [finding async for finding in _check_errors(client, catalogue)]
    if catalogues[0] != catalogues[1]:
        findings.append(
            Finding(component="(all)", problem="The two protocol eras list different components")
        )
    return findings


async def _catalogue(client: mcp.Client) -> dict[str, dict[str, Any]]:
    capabilities = client.server_capabilities
    found: dict[str, dict[str, Any]] = {"tool": {}, "resource": {}, "template": {}, "prompt": {}}
    if capabilities.tools is not None:
        found["tool"] = {tool.name: tool for tool in (await client.list_tools()).tools}
    if capabilities.resources is not None:
        listed = await client.list_resources()
        found["resource"] = {str(item.uri): item for item in listed.resources}
        templates = await client.list_resource_templates()
        found["template"] = {item.uri_template: item for item in templates.resource_templates}
    if capabilities.prompts is not None:
        found["prompt"] = {item.name: item for item in (await client.list_prompts()).prompts}
    return found


def _check_texts(catalogue: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Titles and descriptions of everything, and schemas that are schemas."""
    for kind, items in catalogue.items():
        for name, item in items.items():
            if not _title(item):
                yield Finding(component=name, problem=f"The {kind} has no title")
            if not (item.description or "").strip():
                yield Finding(component=name, problem=f"The {kind} has no description")
            if kind == "tool":
                yield from _check_tool(name, item)
            for argument in (item.arguments or ()) if kind == "prompt" else ():
                if not argument.description:
                    yield Finding(
                        component=name, problem=f"Argument {argument.name!r} has no description"
                    )


def _title(item: Any) -> str:
    annotations = getattr(item, "annotations", None)
    return str(item.title or getattr(annotations, "title", None) or "").strip()


def _check_tool(name: str, tool: Any) -> Iterator[Finding]:
    schemas = {"input": tool.input_schema, "output": tool.output_schema or {}}
    for which, schema in schemas.items():
        word = "Parameter" if which == "input" else "Output property"
        for path in _undescribed(schema, schema.get("$defs", {}), "", set()):
            yield Finding(component=name, problem=f"{word} {path!r} has no description")
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as exc:
            yield Finding(
                component=name, problem=f"Its {which} schema is not JSON Schema: {exc.message}"
            )


def _undescribed(
    schema: Any, definitions: Mapping[str, Any], path: str, seen: set[str]
) -> Iterator[str]:
    """Find the properties of a schema that have no description, at every depth.

    Args:
        schema: The schema, or a part of it.
        definitions: Its `$defs`.
        path: Where in the value the part stands, such as `places[]`.
        seen: Definitions that were looked at already; this one's are added.
    """
    if not isinstance(schema, Mapping):
        return
    reference = str(schema.get("$ref", "")).removeprefix(DEFINITIONS)
    if reference in definitions and reference not in seen:
        seen.add(reference)
        yield from _undescribed(definitions[reference], definitions, path, seen)
    for name, part in schema.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        described = isinstance(part, Mapping) and (
            str(part.get("description", "")).strip() or part.get("type") == "null"
        )
        if not described:
            yield inner
        yield from _undescribed(part, definitions, inner, seen)
    for keyword, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        yield from _undescribed(schema.get(keyword), definitions, f"{path}{suffix}", seen)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for part in schema.get(keyword, ()):
            yield from _undescribed(part, definitions, path, seen)


async def _check_errors(
    client: mcp.Client, catalogue: Mapping[str, Mapping[str, Any]]
) -> AsyncIterator[Finding]:
    """Calls with a wrong or missing argument must say which; nothing is run by them."""
    for name, tool in catalogue["tool"].items():
        text = await _error(client, name, {UNKNOWN: 1})
        if text is None:
            yield Finding(component=name, problem="It accepts arguments that it does not know")
        elif UNKNOWN not in text:
            yield Finding(
                component=name, problem=f"Its error does not name the wrong argument: {text}"
            )
        for required in tool.input_schema.get("required", ())[:1]:
            text = await _error(client, name, {})
            if text is None:
                yield Finding(component=name, problem=f"It can be called without {required!r}")
            elif required not in text:
                yield Finding(
                    component=name, problem=f"Its error does not name the missing argument: {text}"
                )


async def _error(client: mcp.Client, tool: str, arguments: dict[str, Any]) -> str | None:
    """What the model reads when it calls a tool wrongly; None when the call succeeds."""
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as exc:
        return exc.message
    text = " ".join(getattr(block, "text", "") for block in result.content)
    return text if result.is_error else None
