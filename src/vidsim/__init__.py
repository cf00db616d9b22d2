"""Videos to vectors whose cosine follows human ratings of similarity."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidsim.embedder import Embedder
    from vidsim.recipes.registry import load_recipe_file
    from vidsim.records.given_videos import write_videos

__all__ = ["Embedder", "load_recipe_file", "write_videos"]


def __getattr__(name: str) -> Any:
    """Imports the library interface when it is first used: Keras takes seconds to load."""
    if name == "Embedder":
        from vidsim.embedder import Embedder

        return Embedder
    if name == "load_recipe_file":
        from vidsim.recipes.registry import load_recipe_file

        return load_recipe_file
    if name == "write_videos":
        from vidsim.records.given_videos import write_videos

        return write_videos
    raise AttributeError(f"module 'vidsim' has no attribute {name!r}")
