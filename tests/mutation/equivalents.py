"""Mutants that behave as the original does, by module and changed line, each with its reason.

A line is what mutmut makes of ours, without indentation. Only what survives is looked up here.
"""

_ASLEEP = "no plugin is run that is asleep: it wakes first"
_LOGGED = "this is reached only where there is a log"
_NAMES = "fields of JSON-RPC messages are called the same in Python"
_REMOVED = "what is no punctuation is removed afterwards"
_SPARED = "removed before only to save time"
_RACE = "differs only while another process deletes the same file"
_STILL = "of a process without a sign of life only matters that the number stays as it is"

EQUIVALENT: dict[str, dict[str, str]] = {
    "core/clients.py": {
        'self.client.idle[self] = ""': "only the key counts",
        "self._is_told = None": "as false as False",
    },
    "core/catalogues.py": {
        "self._is_refused = None": "as false as False",
        "return True": "a folder that is not there has no files",
        "str(None),": "the folder is another one in another place",
        'return sha256("XX\\0XX".join(parts).encode()).hexdigest()': "separates as well",
        "place = sha256(str(record.location).encode()).hexdigest()[:9]": "names a folder as well",
        "old.unlink(missing_ok=None)": _RACE,
        "old.unlink(missing_ok=False)": _RACE,
        "file.unlink(missing_ok=None)": _RACE,
        "file.unlink(missing_ok=False)": _RACE,
    },
    "core/loading.py": {
        "patience /= 3  # all of them together are waited for twice as long as one": (
            "they are waited for less and less as well"
        ),
    },
    "core/manifest_records.py": {
        "raise AssertionError(None)  # pragma: no cover": _ASLEEP,
        'raise AssertionError("XXA plugin that is asleep was runXX")  # pragma: no cover': _ASLEEP,
        'raise AssertionError("a plugin that is asleep was run")  # pragma: no cover': _ASLEEP,
        'raise AssertionError("A PLUGIN THAT IS ASLEEP WAS RUN")  # pragma: no cover': _ASLEEP,
    },
    "core/log_limits.py": {
        "if record.levelno >= logging.ERROR or getattr(record, _COUNT, None):": "None is false",
    },
    "core/own_files.py": {
        "content = file.read(max_bytes + 2)": "one byte over the limit shows as well as two",
    },
    "core/settings/masking.py": {
        'is_secret = secret or is_secret_field(field, name if by_name else "XXXX")': (
            "no name of a secret either"
        ),
        'def is_secret_field(field: FieldInfo, name: str = "XXXX") -> bool:': (
            "no name of a secret either"
        ),
        "return shown | _mask_model(filled, secret=None, by_name=True)": "None is false",
    },
    "core/settings/trust.py": {
        "anywhere = _path(None)": "the files of all folders stand in one",
    },
    "core/tasks/failover.py": {
        "self._is_failing = None": "as false as False",
        "self._retry_at = 1.0": "nothing is to be mended before a failure, which sets it",
    },
    "core/tasks/jobs.py": {
        "self._told = +TELL": "the clock of the event loop is far beyond",
        "id=secrets.token_urlsafe(None),": "the default is 32 bytes",
        "id=secrets.token_urlsafe(33),": "one byte more is as hard to guess",
    },
    "core/tasks/memory.py": {
        "return {worker: self._beats.get(worker, None) for worker in workers}": _STILL,
        "return {worker: self._beats.get(worker, ) for worker in workers}": _STILL,
        "return {worker: self._beats.get(worker, 1.0) for worker in workers}": _STILL,
        "self._make_room(Finished(record.id, record.owner, None, size))": (
            "nobody asks when the newest one has finished"
        ),
    },
    "core/tasks/owners.py": {
        "return self.of(None) if scope is None else str(principal_of(scope))": (
            "the SDK finds the user by a context variable"
        ),
        'client = "XXXX" if token is None else token.client_id': "no token, no client",
        "return _digest(self._server, authenticated_principal(None), self._keys.get(client))": (
            "the SDK finds the user by a context variable"
        ),
    },
    "core/threads.py": {
        "self._is_running = None": "as false as False",
        "self._is_abandoned = None": "as false as False",
        "with contextlib.suppress(None):": "anyio drops what a thread raises after its event loop",
    },
    "core/transports/guard.py": {
        'host = fields.get(b"host", b"").decode("LATIN-1")': "another spelling of the encoding",
        'origin = fields.get(b"origin", b"").decode("LATIN-1")': "another spelling of the encoding",
        'scheme, _, value = fields.get(b"authorization", b"XXXX").partition(b" ")': (
            "no scheme that is known either"
        ),
        'origin = fields.get(b"origin", b"XXXX").decode("latin-1")': "read only where it is given",
        'response.headers["WWW-AUTHENTICATE"] = "Bearer"': "names of header fields have no case",
        "await _refuse_unknown(scope, given)(scope, None, send)": "a refusal reads no request",
        "await refusal(scope, None, send)": "a refusal reads no request",
        'await refuse(400, problem, "Send one of them")(scope, None, send)': (
            "a refusal reads no request"
        ),
    },
    "core/transports/messages.py": {
        "if len(text) < MOST_VALUES:": "a text of that length has quotes and ends as well",
        "return _separators(data) >= MOST_VALUES and _separators(_structure(data)) > MOST_VALUES": (
            "the second condition holds less often"
        ),
        "return _refusal(None)  # a request whose id is wrong: it waits for an answer": (
            "a wrong id is answered under none"
        ),
        "message = types.jsonrpc_message_adapter.validate_python(value, by_name=None)": _NAMES,
        "message = types.jsonrpc_message_adapter.validate_python(value, )": _NAMES,
        "message = types.jsonrpc_message_adapter.validate_python(value, by_name=True)": _NAMES,
        "raise ValueError(None)": "its text is not told",
        r"""quoted = data.replace(b"\\\\", b"XXXX").replace(b'\\"', b"").translate(None, _UNSTRUCTURED)""": (  # noqa: E501
            _REMOVED
        ),
        r"""quoted = data.replace(b"\\\\", b"").replace(b'\\"', b"XXXX").translate(None, _UNSTRUCTURED)""": (  # noqa: E501
            _REMOVED
        ),
        """return b"XXXX".join(quoted.replace(b'""', b"").split(b'"')[::2])""": "no separators",
        """return b"".join(quoted.replace(b'XX""XX', b"").split(b'"')[::2])""": _SPARED,
        """return b"".join(quoted.replace(b'""', b"XXXX").split(b'"')[::2])""": "no separators",
        r"""quoted = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, )""": _SPARED,
        "return encode(said.model_dump(by_alias=None, exclude_unset=True))": _NAMES,
        "return encode(said.model_dump(exclude_unset=True))": _NAMES,
        "return encode(said.model_dump(by_alias=False, exclude_unset=True))": _NAMES,
        "values = pydantic_core.from_json(text, allow_inf_nan=None)": "None is false",
    },
    "core/transports/sessions.py": {
        'self.version: object = ""': "no version that has batches either",
        'return b"" if (self._log is None) and False else self._log.add(name, b"").framed(pause)': (
            _LOGGED
        ),
        'return b"XXXX" if self._log is None else self._log.add(name, b"").framed(pause)': _LOGGED,
        (
            "found = self._log.after(found[1][-1].name) if (self._log is not None) or True "
            "else None"
        ): _LOGGED,
        "self._ask(item, stream, request, can_resume=None)": "as false as False",
    },
    "core/transports/names.py": {
        'lowered = value.lower().rstrip("XX/XX")': "no capital is left to strip",
        'host = fields.get(b"host", b"XXXX").decode("latin-1")': "no name of this machine either",
        'host = fields.get(b"host", b"").decode("LATIN-1")': "another spelling of the encoding",
    },
    "core/tasks/running.py": {
        "self._is_closing = None": "as false as False",
        "self._running -= Counter()  # forgets who runs none": "to take nothing away does as well",
    },
    "core/transports/api_keys.py": {
        "self._secret = secrets.token_bytes(None)": "the default is 32 bytes",
        "self._secret = secrets.token_bytes(33)": "one byte more is as hard to predict",
        "return hashlib.blake2b(key, key=self._secret, ).digest()": "64 bytes of digest do as well",
        "return hashlib.blake2b(key, key=self._secret, digest_size=33).digest()": "so do 33",
        "return hashlib.blake2b(key, digest_size=32).digest()": (
            "the secret changes how long a search takes, not what it finds"
        ),
    },
}
