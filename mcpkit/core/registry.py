"""Registry: exposed names to components.

A plugin is committed whole or not at all, and what is refused leaves what is there untouched.
Everything is kept sorted: the order of loading never shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from mcpkit.core.components import Completer, Component, ComponentKind
from mcpkit.core.errors import NotFoundError, PluginContractError
from mcpkit.core.naming import Claim, collisions
from mcpkit.core.status import PluginRecord, Stage
from mcpkit.core.suggestions import did_you_mean, quoted

_KINDS: tuple[ComponentKind, ...] = ("tool", "resource", "resource_template", "prompt")

MOST_SUGGESTED = 5
"""Most tools or prompts of different plugins that are suggested for one name."""


class Registry:
    """What clients can use, by kind and exposed name."""

    def __init__(self) -> None:
        self._components: dict[ComponentKind, dict[str, Component]] = {kind: {} for kind in _KINDS}
        self._completers: dict[str, Completer] = {}
        self.edition = 0
        """Counts the changes: what was made of one edition holds until the next."""

    @property
    def tools(self) -> Mapping[str, Component]:
        """Tools by exposed name, sorted."""
        return MappingProxyType(self._components["tool"])

    @property
    def resources(self) -> Mapping[str, Component]:
        """Resources by URI, sorted."""
        return MappingProxyType(self._components["resource"])

    @property
    def templates(self) -> Mapping[str, Component]:
        """Resource templates by URI template, sorted."""
        return MappingProxyType(self._components["resource_template"])

    @property
    def prompts(self) -> Mapping[str, Component]:
        """Prompts by exposed name, sorted."""
        return MappingProxyType(self._components["prompt"])

    def components(self, kind: ComponentKind) -> Mapping[str, Component]:
        """Components of one kind by what clients call them, sorted."""
        return MappingProxyType(self._components[kind])

    @property
    def completers(self) -> Mapping[str, Completer]:
        """Completers by plugin."""
        return MappingProxyType(self._completers)

    def takes_context(self) -> bool:
        """Whether a function of a plugin may use what its `Context` offers."""
        return any(
            item.takes_context
            for components in self._components.values()
            for item in components.values()
        )

    def commit(
        self, records: Iterable[PluginRecord], *, taken: Iterable[Claim] = ()
    ) -> list[PluginRecord]:
        """Take over the catalogues of plugins, all at once.

        Plugins that claim the same exposed name are all refused: which one was meant cannot be
        known.

        Args:
            records: Plugins whose catalogues were checked.
            taken: Names that are claimed already and not given up.

        Returns:
            The records that were refused; they have failed.
        """
        records = list(records)
        claims = [claim for record in records for claim in _claims(record)]
        clashes = collisions([*taken, *claims])
        refused: dict[str, PluginContractError] = {}
        for (kind, exposed), claimants in clashes.items():
            for plugin in claimants:
                others = [repr(name) for name in claimants if name != plugin]
                refused.setdefault(plugin, _clash(kind, exposed, plugin, others))
        for record in records:
            if record.name in refused:
                record.fail(Stage.COMPOSE, refused[record.name])
            else:
                self._add(record)
        self.edition += 1
        self._sort()
        return [record for record in records if record.name in refused]

    def replace(self, record: PluginRecord) -> bool:
        """Take over the catalogue of one plugin, instead of what stands there of it.

        Returns:
            False for a plugin that claims a name of another one: it has failed, and what stands
            there stays.
        """
        for component in record.catalogue.components:
            standing = self._components[component.kind].get(component.exposed)
            if standing is not None and standing.plugin != record.name:
                others = [repr(standing.plugin)]
                clash = _clash(component.kind, component.exposed, record.name, others)
                record.fail(Stage.COMPOSE, clash)
                return False
        self.remove(record.name)
        self._add(record)
        self._sort()
        return True

    def deactivate(self, plugin: str) -> None:
        """Let the components of one plugin wait for its activation."""
        for components in self._components.values():
            for name, component in components.items():
                if component.plugin == plugin:
                    components[name] = replace(component, is_asleep=True)

    def update(self, record: PluginRecord) -> list[tuple[ComponentKind, str]]:
        """Take over the catalogue of a plugin that is there already, in place of its old one.

        Returns:
            The kind and name of what is left out, because another plugin has that name.
        """
        self.remove(record.name)
        taken: list[tuple[ComponentKind, str]] = []
        for component in record.catalogue.components:
            components = self._components[component.kind]
            if component.exposed in components:
                taken.append((component.kind, component.exposed))
            else:
                components[component.exposed] = component
        if record.catalogue.completer is not None:
            self._completers[record.name] = record.catalogue.completer
        self._sort()
        return taken

    def remove(self, plugin: str) -> set[ComponentKind]:
        """Forget all that one plugin contributes.

        Returns:
            The kinds of which something went.
        """
        changed: set[ComponentKind] = set()
        for kind, components in self._components.items():
            gone = [name for name, component in components.items() if component.plugin == plugin]
            for name in gone:
                del components[name]
                changed.add(kind)
        self._completers.pop(plugin, None)
        self.edition += 1
        return changed

    def get(self, kind: ComponentKind, exposed: str) -> Component | None:
        """Look up a component by its name, URI or URI template; None when there is none."""
        return self._components[kind].get(exposed)

    def find(self, kind: ComponentKind, exposed: str) -> Component:
        """Look up a tool or prompt.

        Raises:
            NotFoundError: There is none; the message names the nearest.
        """
        components = self._components[kind]
        found = components.get(exposed)
        if found is None:
            word = kind.replace("_", " ")
            raise NotFoundError(f"Unknown {word} {quoted(exposed)}{self.suggest(kind, exposed)}")
        return found

    def suggest(self, kind: ComponentKind, name: str) -> str:
        """Say which tool or prompt was meant: one whose plugin calls it so, or the nearest."""
        components = self._components[kind]
        own = [repr(item.exposed) for item in components.values() if item.name == name]
        if own:
            return f". Did you mean {' or '.join(own[:MOST_SUGGESTED])}?"
        return did_you_mean(name, components)

    def find_resource(self, uri: str) -> tuple[Component, dict[str, object]]:
        """Look up what reads a URI, and the values of its template's variables.

        Raises:
            NotFoundError: Nothing does; the message names the nearest.
            ResourceNotFoundError: A template fits, but its security policy refuses the values.
        """
        found = self.resources.get(uri)
        if found is not None:
            return found, {}
        for template in self.templates.values():
            values = template.match(uri) if template.match is not None else None
            if values is not None:
                return template, values
        known = [*self.resources, *self.templates]
        raise NotFoundError(f"Unknown resource {quoted(uri)}{did_you_mean(uri, known)}")

    def _add(self, record: PluginRecord) -> None:
        for component in record.catalogue.components:
            self._components[component.kind][component.exposed] = component
        if record.catalogue.completer is not None:
            self._completers[record.name] = record.catalogue.completer

    def _sort(self) -> None:
        for kind, components in self._components.items():
            self._components[kind] = {name: components[name] for name in sorted(components)}


def _claims(record: PluginRecord) -> list[Claim]:
    catalogue = record.catalogue
    return [
        *((component.kind, component.exposed, record.name) for component in catalogue.components),
        *(("transport", transport.name, record.name) for transport in catalogue.transports),
        *(("extension", item.identifier, record.name) for item in catalogue.extensions),
        *(
            ("method", method.name, record.name)
            for item in catalogue.extensions
            for method in item.methods
        ),
    ]


def _clash(kind: str, exposed: str, plugin: str, others: list[str]) -> PluginContractError:
    verb = "claim" if len(others) > 1 else "claims"
    word = kind.replace("_", " ")
    return PluginContractError(
        f"Its {word} {exposed!r} collides: {', '.join(others)} {verb} that name too",
        hint=f"Set plugins.{plugin}.prefix, or disable one of them",
    )
