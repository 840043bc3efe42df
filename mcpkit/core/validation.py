"""Validation: what a plugin's hooks return becomes a checked catalogue with an owner.

In come declarations; out go components that are ready to list and to run. Names, schemas and
signatures are checked here, so that nothing illegal is ever registered.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from mcp.server.extension import validate_extension_identifier
from mcp_types.methods import SPEC_CLIENT_METHODS

from mcpkit.core.building import build, build_completer
from mcpkit.core.components import Catalogue, Completer, Component
from mcpkit.core.contributions import Extension, Transport
from mcpkit.core.declarations import (
    CompletionDeclaration,
    PromptDeclaration,
    ReadyDeclaration,
    ResourceDeclaration,
    SkillsDeclaration,
    ToolDeclaration,
)
from mcpkit.core.errors import PluginContractError, PluginError, reason_of
from mcpkit.core.extensions.apps import check_pages
from mcpkit.core.extensions.skills import skill_components
from mcpkit.core.filling import fill_settings
from mcpkit.core.hooks import ask, ask_for_items
from mcpkit.core.naming import exposed_name, is_legal
from mcpkit.core.option_kinds import check_options
from mcpkit.core.plan import Plan
from mcpkit.core.settings import PluginSection
from mcpkit.core.skills import Skill, read_skills
from mcpkit.core.status import PluginRecord, Stage
from mcpkit.core.threads import WorkerThreads

logger = logging.getLogger(__name__)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
"""How a URI begins."""


def validate(record: PluginRecord, plan: Plan) -> None:
    """Fill the settings and the catalogue of a plugin that is registered.

    Raises:
        PluginError: They are wrong; the stage of the record tells which.
    """
    section = plan.section(record.name)
    record.stage = Stage.SETTINGS
    record.settings = fill_settings(record, section, plan.origins)
    record.stage = Stage.VALIDATE
    threads = WorkerThreads(section.call_threads or plan.calls.threads)
    record.catalogue = build_catalogue(record, section, threads)
    record.must_start = _must_start(record)


def _must_start(record: PluginRecord) -> bool:
    """Whether a plugin has to be there from the start: it does more than answer calls."""
    found, manager = record.catalogue, record.manager
    return bool(
        found.middleware
        or found.transports
        or found.extensions
        or found.skills
        or (manager is not None and manager.hook.mcpkit_routes.get_hookimpls())
        or any(ask(manager, "mcpkit_eager", settings=record.settings))
    )


def build_catalogue(
    record: PluginRecord, section: PluginSection, threads: WorkerThreads
) -> Catalogue:
    """Check everything that a plugin declares.

    Raises:
        PluginContractError: One component is illegal; the message names it.
    """
    declarations = ask_for_items(record.manager, "mcpkit_components", object)
    components: list[Component] = []
    names: set[tuple[str, str]] = set()
    skills: list[Skill] = []
    completer: Completer | None = None
    for declaration in declarations:
        if not _is_enabled(declaration, record.settings):
            continue
        if isinstance(declaration, CompletionDeclaration):
            if completer is not None:
                raise PluginContractError(
                    "It declares two completion functions", hint="Merge them into one"
                )
            completer = build_completer(declaration, record.name, threads)
        elif isinstance(declaration, SkillsDeclaration):
            skills += read_skills(declaration.folder, record.name)
        elif isinstance(declaration, ReadyDeclaration) and not declaration.strict:
            components += _left(declaration, record, section.prefix, threads, names)
        else:
            components.append(_checked(declaration, record.name, section.prefix, threads))
    components += skill_components(skills, record.name)
    _refuse_twins(components, set())
    check_pages(components)
    instructions = ask(record.manager, "mcpkit_instructions", settings=record.settings)
    return Catalogue(
        components=tuple(components),
        completer=completer,
        instructions="\n\n".join(str(text).strip() for text in instructions) or None,
        skills=tuple(skills),
        extensions=_extensions(record),
        middleware=tuple(_contributed(record, "mcpkit_middleware", Callable)),
        transports=tuple(_contributed(record, "mcpkit_transports", Transport)),
    )


def _is_enabled(declaration: Any, settings: Any) -> bool:
    """Whether a component is served, as it says itself.

    Raises:
        PluginContractError: Its `enabled` raised, or is no bool.
    """
    enabled = getattr(declaration, "enabled", True)
    try:
        answer = enabled(settings) if callable(enabled) else enabled
    except Exception as exc:  # plugin code: anything may come
        raise PluginContractError(
            f"Whether {declaration.name!r} is enabled cannot be told: {reason_of(exc)}",
            hint="Pass enabled= a bool, or a function of the plugin's settings",
        ) from exc
    if not isinstance(answer, bool):
        raise PluginContractError(
            f"Whether {declaration.name!r} is enabled is no bool, but {type(answer).__name__}",
            hint="Pass enabled= a bool, or a function of the plugin's settings that returns one",
        )
    return answer


def _contributed(record: PluginRecord, hook: str, kind: Any) -> list[Any]:
    return ask_for_items(record.manager, hook, kind, settings=record.settings)


def _extensions(record: PluginRecord) -> tuple[Extension, ...]:
    """What it adds to the protocol, with identifiers and methods that may be added."""
    extensions = _contributed(record, "mcpkit_extensions", Extension)
    for extension in extensions:
        try:
            validate_extension_identifier(extension.identifier, owner="Extension")
        except TypeError as exc:
            raise PluginContractError(
                f"Its extension {extension.identifier!r} has an illegal identifier",
                hint="Write a reverse-DNS prefix and a name: com.example/reload",
            ) from exc
        for method in extension.methods:
            if method.name in SPEC_CLIENT_METHODS:
                raise PluginContractError(
                    f"Its extension {extension.identifier!r} answers {method.name!r}, which the "
                    "specification has already",
                    hint="Use mcpkit_middleware to change what the host answers",
                )
    return tuple(extensions)


def _checked(
    declaration: Any, plugin: str, prefix: str | None, threads: WorkerThreads
) -> Component:
    """Build one component and check its name and description."""
    kind, name = _identity(declaration)
    named = kind in {"tool", "prompt"}
    try:
        if not isinstance(declaration, ReadyDeclaration):
            check_options(f"{kind} {name!r}", declaration)
        exposed = exposed_name(name, plugin=plugin, prefix=prefix) if named else name
        if named and not is_legal(exposed):
            raise PluginContractError(
                f"Its {kind} {name!r} would be exposed as {exposed!r}: letters, digits, _ and - "
                "only, at most 64 characters",
                hint=f"Rename it, or set plugins.{plugin}.prefix",
            )
        if isinstance(declaration, ResourceDeclaration) and not _SCHEME.match(name):
            raise PluginContractError(
                f"Its resource {name!r} has no legal URI: a scheme is letters, digits, +, - and . "
                "(RFC 3986)",
                hint=f"Write {plugin.replace('_', '-')}://…",
            )
        component = build(declaration, plugin, exposed, threads)
    except PluginError:
        raise
    except BaseException as exc:  # plugin code: a schema may raise anything
        raise PluginContractError(
            f"Its {kind} {name!r} is not usable: {_first_line(exc)}",
            hint="Check its signature: each parameter needs a type that has a JSON Schema",
        ) from exc
    strict = getattr(declaration, "strict", True)
    if strict and not _is_described(component):
        raise PluginContractError(
            f"Its tool {name!r} has no description: the model would not know when to use it",
            hint="Give the function a docstring, or pass description=",
        )
    return component


def _left(
    declaration: ReadyDeclaration,
    record: PluginRecord,
    prefix: str | None,
    threads: WorkerThreads,
    names: set[tuple[str, str]],
) -> list[Component]:
    """Build a component whose author did not write it for this host, or leave it out.

    A warning names what is left out, and a tool that the model learns nothing of.
    """
    try:
        component = _checked(declaration, record.name, prefix, threads)
        _refuse_twins([component], names)
    except PluginError as exc:
        logger.warning("Plugin %s: left out: %s", record.label, exc.message)
        return []
    if not _is_described(component):
        logger.warning(
            "Plugin %s: its tool %r has no description: the model does not know when to use it",
            record.label,
            declaration.name,
        )
    return [component]


def _is_described(component: Component) -> bool:
    text = component.definition.get("description") or ""
    return component.kind != "tool" or bool(text.strip())


def _identity(declaration: object) -> tuple[str, str]:
    match declaration:
        case ToolDeclaration():
            return "tool", declaration.name
        case PromptDeclaration():
            return "prompt", declaration.name
        case ResourceDeclaration():
            return "resource", declaration.uri
        case ReadyDeclaration():
            return declaration.kind, declaration.name
    raise PluginContractError(
        f"Its hook 'mcpkit_components' returned {type(declaration).__name__}, "
        "which is no declaration",
        hint="Return mcpkit.ReadyDeclaration records, or use mcpkit.Plugin",
    )


def _refuse_twins(components: Iterable[Component], seen: set[tuple[str, str]]) -> None:
    for component in components:
        key = (component.kind, component.exposed)
        if key in seen:
            raise PluginContractError(
                f"It declares the {component.kind} {component.exposed!r} twice",
                hint="Rename one of them",
            )
        seen.add(key)


def _first_line(exc: BaseException) -> str:
    text = reason_of(exc).removeprefix(f"{type(exc).__name__}: ").strip()
    return text.splitlines()[0] if text else type(exc).__name__
