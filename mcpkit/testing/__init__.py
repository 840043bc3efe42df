"""Test a plugin in memory: the official client, talking to a real server, without a process.

    async with connect(weather=plugin, settings={"weather": {"units": "imperial"}}) as client:
        result = await client.call_tool("weather_current", {"city": "Oslo"})

`assert_contract` checks what every plugin should keep. The fixtures of `mcpkit.testing.fixtures`
are there in every test suite where mcpkit is installed.
"""

from mcpkit.testing.contract import Finding, assert_contract, check_plugin
from mcpkit.testing.memory import connect

__all__ = ["Finding", "assert_contract", "check_plugin", "connect"]
