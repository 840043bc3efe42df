"""Masking: settings as they may be shown, without secrets.

A secret is known by the type of its field, wherever it is nested, and in the section of a plugin by
a name that sounds like one. What nothing is known of is masked as well: settings of a plugin that
cannot be imported, values that do not fit, objects of a plugin's own classes.
"""

from __future__ import annotations

import enum
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from mcpkit.core.settings import PluginSection, Settings
from mcpkit.core.settings.keys import parse_assignment, spell

MASK = "**********"
"""What a secret looks like."""

SHORT = 3
"""Characters of a text that is no secret: to mask it would garble messages."""

_SECRETS = (Secret, SecretStr, SecretBytes)
_NUMBERS = (bool, int, float, Decimal)
_TEXTS = (
    *(str, PurePath, uuid.UUID, date, time, timedelta, enum.Enum),
    *(IPv4Address, IPv4Network, IPv6Address, IPv6Network),
)
_CONTAINERS = (list, tuple, set, frozenset, dict, Mapping, Sequence, AbstractSet)

_WORDS = "key|token|secret|password|passwd|passphrase|credential|authorization|cookie"
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)
_SECRET_NUMBER = re.compile(rf"(?:{_WORDS})$", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)(?:[^/?#\s:@]*:\S*|[^/?#\s]*)@")
_WORD = re.compile(r"\S+")
_ASSIGNED = re.compile(
    rf"""((?:^|[?&;\s])(?:(?=[\w.-]*(?:{_WORDS}))[\w.-]++|pwd|sig|signature|auth)=)"""
    r"""('[^']*'|"[^"]*"|[^&;\s]+)""",
    re.IGNORECASE,
)


def mask_text(text: str) -> str:
    """Mask the user and password of URLs in a text, and what it assigns to secret names.

    `https://user:password@host/?token=x` becomes `https://**********@host/?token=**********`.
    It takes time proportional to the length of the text: others may have written it.
    """
    if "://" in text:
        text = _WORD.sub(_mask_users, text)
    return _ASSIGNED.sub(rf"\1{MASK}", text)


def _mask_users(word: re.Match[str]) -> str:
    """Mask the users in what stands between blanks.

    What follows the last `@` is left alone: no user ends there, and each `://` would be searched
    to the end.
    """
    head, at, tail = word[0].rpartition("@")
    return f"{_USER_INFO.sub(f'{MASK}@', head + at)}{tail}"


def mask_settings(settings: Settings) -> dict[str, Any]:
    """The server's own settings, without the sections of plugins."""
    own = [name for name in Settings.model_fields if name != "plugins"]
    return {name: mask(getattr(settings, name)) for name in own}


def mask_section(
    section: PluginSection, model: type[BaseModel] | None, filled: BaseModel | None
) -> dict[str, Any]:
    """The section of a plugin: what the host reads of it, then the plugin's own settings.

    Args:
        section: As it was set.
        model: What the plugin declares; None if it declares nothing, or could not be imported.
        filled: The model filled from the section; None if it does not fit.
    """
    shown = {name: mask(getattr(section, name)) for name in PluginSection.model_fields}
    if filled is not None:
        return shown | _mask_model(filled, secret=False, by_name=True)
    fields = {} if model is None else model.model_fields
    known = {field.alias or name: field for name, field in fields.items()}
    for name, value in section.own.items():
        field = known.get(name)
        if field is not None and field.repr and _is_plain(field.annotation):
            shown[name] = mask(value, secret=is_secret_field(field, name), by_name=True)
        else:
            shown[name] = _hide(value)
    return shown


def mask_message(
    message: str, path: Sequence[str | int], values: Mapping[str, Any], model: type[BaseModel]
) -> str:
    """What a validator says, without the secret that it may quote.

    Args:
        message: Its words.
        path: What it speaks of, from the section of a plugin.
        values: What the section holds.
        model: What the plugin declares.
    """
    name = str(path[0]) if path else ""
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    field = known.get(name)
    is_plain = field is not None and field.repr and _is_plain(field.annotation)
    if not is_plain or sounds_secret(name):
        given = values.get(name) if name else values
        for secret in sorted(_texts(given), key=len, reverse=True):
            message = message.replace(secret, MASK)
    return mask_text(message)


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value that are long enough for a secret."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str | int | float) and len(str(value)) > SHORT:
        yield str(value)


def mask(value: Any, *, secret: bool = False, by_name: bool = False) -> Any:
    """A value as JSON may show it.

    Args:
        value: Anything that settings may hold.
        secret: Whether texts and numbers in it are secrets.
        by_name: Whether a name that sounds like a secret makes one.
    """
    if isinstance(value, _SECRETS):
        return MASK
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, _NUMBERS):
        return MASK if secret else value
    if isinstance(value, BaseModel):
        return _mask_model(value, secret=secret, by_name=by_name)
    if isinstance(value, Mapping):
        return {
            str(name): mask(
                item, secret=secret or (by_name and sounds_secret(str(name))), by_name=by_name
            )
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [mask(item, secret=secret, by_name=by_name) for item in value]
    if secret or not _is_text(type(value)):
        return MASK
    return mask_text(str(value.value if isinstance(value, enum.Enum) else value))


def _mask_model(model: BaseModel, *, secret: bool, by_name: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        is_secret = secret or is_secret_field(field, name if by_name else "")
        shown[field.alias or name] = mask(getattr(model, name), secret=is_secret, by_name=by_name)
    return shown | {name: _hide(value) for name, value in (model.model_extra or {}).items()}


def _hide(value: Any) -> Any:
    """Mask everything but the names of a value."""
    if isinstance(value, Mapping):
        return {str(name): _hide(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK


def sounds_secret(name: str) -> bool:
    """Whether a name sounds like that of a secret."""
    return _SECRET_NAME.search(name) is not None


def is_secret_field(field: FieldInfo, name: str = "") -> bool:
    """Whether a field holds secrets, by its type, by being left out of `repr`, or by its name.

    A field of numbers alone is known by the end of its name: `max_tokens` counts something, and
    `password` does not.
    """
    if not field.repr or _names_secret(field.annotation):
        return True
    pattern = _SECRET_NUMBER if _is_number(field.annotation) else _SECRET_NAME
    return pattern.search(name) is not None


def _is_number(annotation: Any) -> bool:
    """Whether a type allows only numbers, or none."""
    if get_origin(annotation) in {Union, UnionType}:
        return all(map(_is_number, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        return _is_number(get_args(annotation)[0])
    return isinstance(annotation, type) and issubclass(annotation, (*_NUMBERS, NoneType))


def _names_secret(annotation: Any) -> bool:
    """Whether a type names a secret itself, as `dict[str, SecretStr | str]` does."""
    if isinstance(annotation, type) and issubclass(annotation, _SECRETS):
        return True
    return any(map(_names_secret, get_args(annotation)))


def _is_plain(annotation: Any) -> bool:
    """Whether no value of a type can hold a secret: of all that is known of it."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return True
    if origin is Annotated:
        return _is_plain(inside[0])
    if origin in {Union, UnionType, *_CONTAINERS}:
        return all(item is Ellipsis or _is_plain(item) for item in inside)
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, BaseModel):
        return all(
            field.repr and _is_plain(field.annotation) for field in annotation.model_fields.values()
        )
    return annotation is NoneType or issubclass(annotation, _NUMBERS) or _is_text(annotation)


def _is_text(kind: type) -> bool:
    """Whether values of a type can be shown as text; pydantic's URLs have no common base."""
    return issubclass(kind, _TEXTS) or hasattr(kind, "unicode_string")


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line without the secrets that `--set` may hold."""
    shown: list[str] = []
    for argument in arguments:
        if shown and shown[-1] == "--set":
            shown.append(_mask_assignment(argument))
        elif argument.startswith("--set="):
            shown.append(f"--set={_mask_assignment(argument.removeprefix('--set='))}")
        else:
            shown.append(mask_text(argument))
    return shown


def _mask_assignment(text: str) -> str:
    try:
        key, value = parse_assignment(text)
    except ValueError:
        return MASK
    return f"{spell(key)}={mask_text(value) if _may_be_shown(key) else MASK}"


def _may_be_shown(key: Sequence[str]) -> bool:
    """Whether a key leads to a setting of the host that is no secret."""
    if key[0] == "plugins":
        return len(key) == 3 and key[2] in PluginSection.model_fields
    model: type[BaseModel] = Settings
    for name in key:
        field: FieldInfo | None = model.model_fields.get(name)
        if field is None:
            return False
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return _is_plain(field.annotation)
        model = field.annotation
    return False
