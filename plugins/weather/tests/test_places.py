"""Places as people write them."""

from typing import Any

import pytest
from mcpkit_plugin_weather import plugin

from mcpkit import ResourceTemplateReference
from mcpkit.testing import connect

pytestmark = pytest.mark.anyio


async def understood(settings: Any, city: str, **arguments: Any) -> str:
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        result = await client.call_tool("weather_current", {"city": city, **arguments})
    if result.structured_content is None:
        return str(result.content[0].text)  # type: ignore[union-attr]
    return str(result.structured_content["place"]["city"])


@pytest.mark.parametrize(
    ("city", "place"),
    [
        ("Birmingham, UK", "Birmingham, England"),
        ("Birmingham, U.K.", "Birmingham, England"),
        ("Birmingham, gb", "Birmingham, England"),
        ("Birmingham, England", "Birmingham, England"),
        ("Birmingham, USA", "Birmingham, Alabama"),
        ("Birmingham, America", "Birmingham, Alabama"),
        ("Birmingham, AL", "Birmingham, Alabama"),
        ("Birmingham, AL, USA", "Birmingham, Alabama"),
        ("Portland, ME", "Portland, Maine"),
        ("Portland, OR", "Portland, Oregon"),
        ("Springfield, IL", "Springfield, Illinois"),
        ("Malaga", "Málaga, Andalusia"),
        ("MALAGA, Espana", "No place called"),
        ("Malaga, Washington", "Malaga, Washington"),
        ("tromso", "Tromsø, Troms"),
        ("Oslo, o", "No place called"),
    ],
)
async def test_a_place_is_found_by_common_names_of_its_country_or_region(
    settings: Any, city: str, place: str
) -> None:
    assert (await understood(settings, city)).startswith(place)


@pytest.mark.parametrize("qualifier", ["United Kingdom", "UK", "Vereinigtes Königreich", "England"])
async def test_a_country_may_be_named_in_english_or_the_language_of_the_answer(
    settings: Any, qualifier: str
) -> None:
    place = await understood(settings, f"Birmingham, {qualifier}", language="de")

    assert place == "Birmingham, England, Vereinigtes Königreich"


async def test_completion_forgives_case_and_marks(settings: Any) -> None:
    reference = ResourceTemplateReference(uri="weather://{city}/current")
    async with connect(weather=plugin, settings={"weather": settings}) as client:
        found = await client.complete(reference, {"name": "city", "value": "sao p"})

    assert found.completion.values == ["São Paulo"]
