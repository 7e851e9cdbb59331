"""Messages between parties, and what carries them."""

from .exchange import FileExchange, open_exchange, open_folder
from .manifest import Manifest

__all__ = ["FileExchange", "Manifest", "open_exchange", "open_folder"]
