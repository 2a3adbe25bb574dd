"""Ground floor: types, geometry, configuration and the loop itself. numpy, pydantic and the standard library only."""
